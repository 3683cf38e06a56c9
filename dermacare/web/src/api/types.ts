import type { components } from "./schema";

type Schemas = components["schemas"];

export type DiagnosisCode = Schemas["Diagnosis"];
export type Prediction = Schemas["Prediction"];
export type Problem = Schemas["Problem"];
export type ServingModels = Schemas["ServingModels"];
export type ModelFacts = Schemas["ModelFacts"];
export type Figure = Schemas["Figure"];
export type LesionType = Schemas["LesionType"];
export type Lesion = Schemas["Lesion"];
export type Sex = Schemas["Sex"];
export type Site = Schemas["Site"];
