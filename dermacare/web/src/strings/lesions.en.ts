import type { DiagnosisCode } from "../api/types";

/** What the page on lesion types tells of a diagnosis, beside what the API does. */
export interface LesionText {
  name: string;
  what: string;
  criteria: string[];
  confusion: string;
  risk: string;
  sources: string[];
}

const CONSENSUS =
  "Argenziano G, Soyer HP, Chimenti S, et al. Dermoscopy of pigmented skin lesions: results of a consensus meeting via the Internet. Journal of the American Academy of Dermatology 2003; 48: 679–693.";
const TERMS =
  "Kittler H, Marghoob AA, Argenziano G, et al. Standardization of terminology in dermoscopy/dermatoscopy: results of the third consensus conference of the International Society of Dermoscopy. Journal of the American Academy of Dermatology 2016; 74: 1093–1106.";
const HAM =
  "Tschandl P, Rosendahl C, Kittler H. The HAM10000 dataset, a large collection of multi-source dermatoscopic images of common pigmented skin lesions. Scientific Data 2018; 5: 180161.";

export const lesions: Record<DiagnosisCode, LesionText> = {
  MEL: {
    name: "Melanoma",
    what: "A cancer of the pigment cells. It can begin on normal skin or in a mole, and it can spread while it is still small. Some melanomas have little pigment or none.",
    criteria: [
      "Atypical pigment network: meshes and lines that differ in width and colour",
      "Irregular dots and globules, of different sizes and unevenly spread",
      "Irregular streaks or pseudopods at a part of the edge",
      "Blue-white veil over a part of the lesion",
      "Regression: white scar-like areas, grey peppering",
      "Blotches off the centre, several colours, asymmetry of structure",
      "Shiny white lines under polarised light; atypical vessels",
    ],
    confusion:
      "With an atypical nevus above all, with a pigmented seborrheic keratosis, and with a pigmented basal cell carcinoma. An early or pale melanoma may show no criterion at all.",
    risk: "Malignant. The outlook depends on how thick it is when it is cut out. What may be a melanoma is cut out whole and looked at under the microscope; it is not watched.",
    sources: [
      CONSENSUS,
      "Menzies SW, Ingvar C, McCarthy WH. A sensitivity and specificity analysis of the surface microscopy features of invasive melanoma. Melanoma Research 1996; 6: 55–62.",
    ],
  },
  NV: {
    name: "Melanocytic nevus",
    what: "A mole: a benign growth of pigment cells, at the border of the upper skin, deeper, or both. Most people have many.",
    criteria: [
      "Regular pigment network that fades at the edge",
      "Regular globules, alike in size, evenly spread or in a ring at the edge while it grows",
      "Homogeneous brown or blue-grey pigment",
      "One or two browns, symmetry",
    ],
    confusion:
      "With melanoma, where a nevus is atypical; with a seborrheic keratosis or a dermatofibroma, where its network is faint.",
    risk: "Benign. A mole that changes, that is unlike the others of the same person, or that is new in later life is looked at by a dermatologist.",
    sources: [
      CONSENSUS,
      "Hofmann-Wellenhof R, Blum A, Wolf IH, et al. Dermoscopic classification of atypical melanocytic nevi (Clark nevi). Archives of Dermatology 2001; 137: 1575–1580.",
    ],
  },
  BCC: {
    name: "Basal cell carcinoma",
    what: "The most common skin cancer. It grows from the basal cells of the upper skin or of hair follicles, slowly, mostly where the sun shines.",
    criteria: [
      "Arborising vessels: sharp, bright red, branching",
      "Large blue-grey ovoid nests, blue-grey globules",
      "Leaf-like and spoke-wheel areas at the edge",
      "Small erosions or ulceration; shiny white blotches and strands",
      "Fine, short vessels on pink where it is superficial",
      "No pigment network",
    ],
    confusion:
      "With melanoma and a nevus in the skin where it is pigmented; with Bowen's disease and actinic keratosis where it is superficial.",
    risk: "Malignant: it destroys tissue where it grows, and spreads very rarely. It is cut out; superficial ones can be treated with creams, light or cold.",
    sources: [
      "Menzies SW, Westerhoff K, Rabinovitz H, Kopf AW, McCarthy WH, Katz B. Surface microscopy of pigmented basal cell carcinoma. Archives of Dermatology 2000; 136: 1012–1016.",
      "Lallas A, Apalla Z, Argenziano G, et al. The dermatoscopic universe of basal cell carcinoma. Dermatology Practical & Conceptual 2014; 4(3): 11–24.",
    ],
  },
  AK: {
    name: "Actinic keratosis / Bowen's disease",
    what: "Rough patches of sun-damaged cells (actinic keratosis), and carcinoma that has not left the upper skin (Bowen's disease). Data sets put the two together; HAM10000 calls them AKIEC.",
    criteria: [
      "Strawberry pattern on the face: a red pseudo-network around white or yellow follicles",
      "Surface scale, white to yellow",
      "Fine wavy vessels around the follicles",
      "Bowen's disease: glomerular vessels in groups, scale",
      "Pigmented Bowen's disease: brown or grey dots in lines",
    ],
    confusion:
      "With squamous cell carcinoma, into which it can grow; with superficial basal cell carcinoma; with lentigo maligna, a melanoma of the face, where it is pigmented.",
    risk: "Counted as malignant here, since it is a precursor: of an actinic keratosis few ever become invasive, which ones nobody can tell. It is treated with cold, creams or light; what is thick, painful or bleeds is cut out and looked at.",
    sources: [
      "Zalaudek I, Giacomel J, Argenziano G, et al. Dermoscopy of facial nonpigmented actinic keratosis. British Journal of Dermatology 2006; 155: 951–956.",
      "Zalaudek I, Giacomel J, Schmid K, et al. Dermatoscopy of facial actinic keratosis, intraepidermal carcinoma, and invasive squamous cell carcinoma: a progression model. Journal of the American Academy of Dermatology 2012; 66: 589–597.",
      "Cameron A, Rosendahl C, Tschandl P, Riedl E, Kittler H. Dermatoscopy of pigmented Bowen's disease. Journal of the American Academy of Dermatology 2010; 62: 597–604.",
    ],
  },
  BKL: {
    name: "Benign keratosis-like lesion",
    what: "Three harmless growths of the upper skin that look alike: seborrheic keratosis, solar lentigo and lichen-planus-like keratosis. Almost everybody has some later in life.",
    criteria: [
      "Milia-like cysts: small white or yellow points",
      "Comedo-like openings: brown to black plugs",
      "Fissures and ridges, like the surface of a brain",
      "Sharp, moth-eaten border",
      "Fingerprint-like lines (solar lentigo)",
      "Grey dots (lichen-planus-like keratosis)",
      "Looped vessels, each with a white halo",
    ],
    confusion:
      "With melanoma, where it is dark or regressing: grey dots of a lichen-planus-like keratosis look like regression. With a nevus, and with pigmented actinic keratosis on the face.",
    risk: "Benign. It needs no treatment; it is taken off where it bothers or where doubt remains.",
    sources: [
      "Braun RP, Rabinovitz HS, Krischer J, et al. Dermoscopy of pigmented seborrheic keratosis: a morphological study. Archives of Dermatology 2002; 138: 1556–1560.",
      HAM,
    ],
  },
  DF: {
    name: "Dermatofibroma",
    what: "A firm, harmless nodule of fibrous tissue, mostly on the legs. It dimples when it is pinched.",
    criteria: [
      "White scar-like patch in the centre",
      "Delicate pigment network around it",
      "White network or shiny white lines in the centre",
      "Vessels, dotted mostly, within the white patch",
    ],
    confusion:
      "With a nevus where the network leads the eye, and with melanoma where the pattern is not the usual one.",
    risk: "Benign. It stays, and needs no treatment.",
    sources: [
      "Zaballos P, Puig S, Llambrich A, Malvehy J. Dermoscopy of dermatofibromas: a prospective morphological study of 412 cases. Archives of Dermatology 2008; 144: 75–83.",
      TERMS,
    ],
  },
  VASC: {
    name: "Vascular lesion",
    what: "Blood vessels, or blood in the skin: cherry angioma, angiokeratoma, pyogenic granuloma, haemorrhage.",
    criteria: [
      "Lacunae: red, blue or black lagoons with a sharp border",
      "Dark lacunae and a whitish veil (angiokeratoma)",
      "Homogeneous red with a white collar (pyogenic granuloma)",
      "Homogeneous red to black, parallel lines on ridges (haemorrhage)",
    ],
    confusion:
      "With melanoma where it is black, and where it is red: a melanoma without pigment can look like a pyogenic granuloma. With basal cell carcinoma.",
    risk: "Benign. What bleeds, or cannot be told from a melanoma without pigment, is cut out and looked at under the microscope.",
    sources: [
      "Zaballos P, Daufí C, Puig S, et al. Dermoscopy of solitary angiokeratomas: a morphological study. Archives of Dermatology 2007; 143: 318–325.",
      HAM,
    ],
  },
  SCC: {
    name: "Squamous cell carcinoma",
    what: "The second most common skin cancer. It grows from the horn-forming cells of the upper skin, mostly where the sun shines, often out of an actinic keratosis.",
    criteria: [
      "Keratin: yellow to white masses, scale",
      "White circles around follicles",
      "White structureless areas",
      "Looped, dotted or winding vessels",
      "Blood spots in the keratin, ulceration",
    ],
    confusion:
      "With actinic keratosis and Bowen's disease, with basal cell carcinoma, and with an irritated seborrheic keratosis.",
    risk: "Malignant: it can spread, more likely from lip or ear, or in people whose defence is weakened. It is cut out whole and followed up.",
    sources: [
      "Rosendahl C, Cameron A, Argenziano G, Zalaudek I, Tschandl P, Kittler H. Dermoscopy of squamous cell carcinoma and keratoacanthoma. Archives of Dermatology 2012; 148: 1386–1392.",
      "Zalaudek I, Giacomel J, Schmid K, et al. Dermatoscopy of facial actinic keratosis, intraepidermal carcinoma, and invasive squamous cell carcinoma: a progression model. Journal of the American Academy of Dermatology 2012; 66: 589–597.",
    ],
  },
};

/** Sources of the terms on the page as a whole. */
export const sharedSources: string[] = [CONSENSUS, TERMS, HAM];
