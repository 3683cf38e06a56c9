import { en } from "./en";

/** What a language must have. A second one is a second file of this type, chosen here: see docs/web.md. */
export type Strings = typeof en;

export const language = "en";
export const strings: Strings = en;
