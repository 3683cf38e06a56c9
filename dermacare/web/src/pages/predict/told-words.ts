import type { Prediction } from "../../api/types";
import { strings } from "../../strings";

/** What was told of a patient, in words; what was not is left out. */
export function toldWords({ age, sex, site }: Prediction["patient"]): string[] {
  const words = [
    age !== null && strings.result.patientAge(age),
    sex && strings.predict.sexes[sex],
    site && strings.predict.sites[site],
  ];
  return words.filter((word) => typeof word === "string");
}
