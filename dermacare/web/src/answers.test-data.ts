import document from "../openapi.json";
import type { LesionType, Prediction, Problem, ServingModels } from "./api/types";

/** The examples of the API's own contract: what the pages are tested on cannot drift from what the server answers. */
const example = (path: keyof typeof document.paths, method: "get" | "post"): unknown => {
  const operation = (document.paths[path] as Record<string, { responses: Record<string, { content: object }> }>)[
    method
  ];
  const content = operation?.responses["200"]?.content as { "application/json": { example: unknown } };
  return content["application/json"].example;
};

export const prediction = example("/api/v1/predictions", "post") as Prediction;
export const serving = example("/api/v1/models", "get") as ServingModels;
export const lesionTypes = example("/api/v1/classes", "get") as LesionType[];
export const codes = document.components.schemas.Diagnosis.enum as LesionType["code"][];
export const mostBytes = document.components.schemas.Body_predict.properties.image.maxLength;
export const sites = document.components.schemas.Site.enum;
export const sexes = document.components.schemas.Sex.enum;

/** The last part of the type of every problem that the contract shows. */
export const kinds = [...new Set(JSON.stringify(document).match(/(?<=urn:dermacare:problem:)[a-z-]+/g))];

export const refused: Prediction = {
  ...prediction,
  refusal: { message: "The image is strange to the model.", strangeness: 31.2, threshold: 9.8 },
  diagnoses: [],
  prediction_set: null,
  malignancy: null,
  lesion: null,
  heat_map: null,
};

/** A release of a segmenter alone, and one of a classifier alone. */
export const undiagnosed: Prediction = {
  ...refused,
  refusal: null,
  lesion: prediction.lesion,
  models: { ...prediction.models, classifier: null },
  data_version: null,
};
export const unmeasured: Prediction = {
  ...prediction,
  lesion: null,
  models: { ...prediction.models, segmenter: null },
};

export function problem(slug: string, status: number, detail = "image: is not right; mend it"): Problem {
  return { type: `urn:dermacare:problem:${slug}`, title: slug, status, detail, instance: "urn:uuid:1", errors: [] };
}
