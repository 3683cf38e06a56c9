import { QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { beforeEach, expect, test } from "vitest";
import { lesionTypes, prediction, problem, refused, serving, undiagnosed, unmeasured } from "./answers.test-data";
import type { Send, Told } from "./api/predict";
import { ownProblem, ProblemError } from "./api/problem";
import { createQueryClient } from "./api/queries";
import { Addresses } from "./app";
import { QueueProvider } from "./queue/context";
import { Queue } from "./queue/queue";
import { strings } from "./strings";

/** The app at an address, with what the server told already in the cache; `send` answers images. */
function open(address: string, send: Send = async () => prediction, types = lesionTypes, served = serving) {
  const queries = createQueryClient();
  queries.setQueryDefaults(["serving"], { staleTime: Number.POSITIVE_INFINITY });
  queries.setQueryData(["serving"], { ...served, phantom: true, notice: "Trained on drawn images." });
  queries.setQueryData(["classes"], types);
  const queue = new Queue({ send, ready: () => new Promise(() => {}), now: Date.now });
  render(
    <QueryClientProvider client={queries}>
      <QueueProvider queue={queue}>
        <MemoryRouter initialEntries={[{ pathname: address, key: "default" }]}>
          <Addresses />
        </MemoryRouter>
      </QueueProvider>
    </QueryClientProvider>,
  );
  return { user: userEvent.setup(), queue };
}

const jpeg = (name = "lesion.jpg") => new File(["bytes"], name, { type: "image/jpeg" });

async function choose(user: ReturnType<typeof userEvent.setup>, ...files: File[]) {
  await screen.findByRole("heading", { name: strings.predict.heading });
  const input = document.querySelector<HTMLInputElement>("input[type=file]");
  if (!input) throw new Error("there is no input for files");
  await user.upload(input, files);
}

beforeEach(() => {
  document.title = "";
});

test.each([
  ["/", strings.home.heading],
  ["/about", strings.about.heading],
  ["/lesion-types", strings.lesionTypes.heading],
  ["/predict", strings.predict.heading],
  ["/nothing", strings.notFound.heading],
])("%s has its heading, its title and the notice", async (address, heading) => {
  open(address);
  expect(await screen.findByRole("heading", { level: 1, name: heading })).toBeVisible();
  await waitFor(() => expect(document.title).toMatch(/ · DermaCare$/));
  expect(screen.getByText(/Trained on drawn images/)).toBeVisible();
});

test("following a link moves the focus to the heading of the page; opening an address does not", async () => {
  const { user } = open("/");
  const first = await screen.findByRole("heading", { level: 1 });
  expect(first).not.toHaveFocus();
  await user.click(screen.getByRole("link", { name: strings.pages.about }));
  await waitFor(() => expect(screen.getByRole("heading", { level: 1, name: strings.about.heading })).toHaveFocus());
});

test("an answer shows its diagnosis, its numbers, what cannot be ruled out, its warning and its number", async () => {
  const { user } = open("/predict");
  await choose(user, jpeg());
  const article = await screen.findByRole("article", { name: strings.result.of("lesion.jpg") });
  await waitFor(() => expect(article).toHaveTextContent("71.0%"));
  expect(article).toHaveTextContent("Malignant74.0%");
  expect(article).toHaveTextContent(prediction.warnings[0]?.message ?? "");
  expect(article).toHaveTextContent(`dermacare trace ${prediction.id}`);
  expect(article).toHaveTextContent(prediction.notice);
  const set = screen.getByRole("heading", { name: strings.result.cannotRuleOut }).parentElement;
  expect(set).toHaveTextContent("MelanomaMelanocytic nevus");
});

test("a refused image gets no diagnosis and no probabilities", async () => {
  const { user } = open("/predict", async () => refused);
  await choose(user, jpeg());
  expect(await screen.findByText(strings.result.refused)).toBeVisible();
  expect(screen.queryByRole("heading", { name: strings.result.probabilities })).toBeNull();
  expect(screen.queryByText(strings.result.malignancy)).toBeNull();
});

test("where no classifier serves nothing is called refused", async () => {
  const text = strings.predict;
  const { user } = open("/predict", async () => undiagnosed);
  await choose(user, jpeg());
  expect(await screen.findByText(strings.result.noClassifier)).toBeVisible();
  expect(screen.getByText(strings.result.noClassifierText)).toBeVisible();
  expect(screen.queryByText(strings.result.refused)).toBeNull();
  expect(screen.getByText(text.states.undiagnosed)).toBeVisible();
  expect(await screen.findByText(text.announce.undiagnosed("lesion.jpg"), { exact: false })).toBeInTheDocument();
  expect(screen.getByText(/137,484 pixels/)).toBeVisible();
});

test("where no segmenter serves nobody says that there is no lesion", async () => {
  const { user } = open("/predict", async () => unmeasured);
  await choose(user, jpeg());
  expect(await screen.findByText(strings.result.noSegmenter)).toBeVisible();
  expect(screen.queryByText(strings.result.noLesion)).toBeNull();
});

test("a problem is told in plain words, and the image can be sent again", async () => {
  const answers = [new ProblemError(problem("unreadable", 422)), prediction];
  const { user } = open("/predict", async () => {
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return next ?? prediction;
  });
  await choose(user, jpeg());
  expect(await screen.findByText(strings.predict.problems.unreadable ?? "")).toBeVisible();
  expect(screen.getByText("The server says: is not right; mend it.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: strings.predict.retryOf("lesion.jpg") }));
  expect(await screen.findByRole("heading", { name: strings.result.probabilities })).toBeVisible();
});

test("what is told goes along until the next patient, and consent with the images it was ticked for", async () => {
  const told: Told[] = [];
  const { user } = open("/predict", async (_image, one) => {
    told.push(one);
    return prediction;
  });
  await choose(user, jpeg());
  await user.click(screen.getByText(strings.predict.details));
  await user.selectOptions(screen.getByLabelText(strings.predict.site), "back");
  await user.type(screen.getByLabelText(strings.predict.age), "54");
  await user.click(screen.getByLabelText(strings.predict.consent));
  await choose(user, jpeg("second.jpg"));
  await choose(user, jpeg("third.jpg"));
  await user.click(screen.getByRole("button", { name: strings.predict.nextPatient }));
  await choose(user, jpeg("of-another.jpg"));
  const nothing = { age: null, sex: null, site: null, consent: false };
  const patient = { age: 54, sex: null, site: "posterior torso" };
  expect(told).toEqual([nothing, { ...patient, consent: true }, { ...patient, consent: false }, nothing]);
  expect(screen.queryByRole("button", { name: strings.predict.nextPatient })).toBeNull();
});

/** The clipboard as an event hands it over, of which jsdom has none. */
function paste(target: Element, picture: File, text?: string): boolean {
  const items = [{ webkitGetAsEntry: () => null, getAsFile: () => picture }];
  const types = text === undefined ? ["Files"] : ["text/plain", "Files"];
  const clipboardData = { items, types, getData: () => text ?? "" };
  return target.dispatchEvent(
    Object.assign(new Event("paste", { bubbles: true, cancelable: true }), { clipboardData }),
  );
}

test("an age that is typed goes along with a picture that is pasted before the field is left", async () => {
  const told: Told[] = [];
  const { user } = open("/predict", async (_image, one) => {
    told.push(one);
    return prediction;
  });
  await user.click(await screen.findByText(strings.predict.details));
  const age = screen.getByLabelText(strings.predict.age);
  await user.type(age, "54");
  act(() => void paste(age, jpeg()));
  await screen.findByRole("article", { name: strings.result.of("lesion.jpg") });
  expect(told.map((one) => one.age)).toEqual([54]);
  expect(age).toHaveValue("54");
  expect(age).toHaveFocus();
});

test("cells of a spreadsheet, copied as text and as a picture, are text in a field and a picture elsewhere", async () => {
  const { user, queue } = open("/predict");
  await user.click(await screen.findByText(strings.predict.details));
  const age = screen.getByLabelText(strings.predict.age);
  act(() => void paste(age, jpeg("cells.png"), "54"));
  expect(queue.snapshot()).toEqual([]);
  expect(age).toHaveValue("54");
  act(() => void paste(screen.getByLabelText(strings.predict.consent), jpeg("cells.png"), "54"));
  expect(queue.snapshot().map(({ file, told }) => [file.name, told.age])).toEqual([["cells.png", 54]]);
});

test("that a diagnosis is never mistaken is said only where it was tested and never was", async () => {
  const types = lesionTypes.flatMap((type): typeof lesionTypes => [
    type,
    { ...type, code: "NV", confused_with: [] },
    { ...type, code: "BCC", confused_with: [] },
    { ...type, code: "DF", confused_with: [] }, // of which the matrix has no row
  ]);
  const counts = [
    [357, 95, 0],
    [5, 1276, 0],
    [0, 0, 20],
  ];
  const classifier = serving.classifier && {
    ...serving.classifier,
    confusion: { codes: ["MEL", "NV", "BCC"] as const, counts },
  };
  open("/lesion-types", undefined, types, { ...serving, classifier: classifier as typeof serving.classifier });
  const told = (code: string) => document.getElementById(code)?.textContent;
  await screen.findByRole("heading", { name: strings.lesions.MEL.name });
  expect(told("MEL")).toContain("Melanocytic nevus: 21%");
  expect(told("NV")).toContain("1,276 of its test images (1,281) were named right; each other diagnosis");
  expect(told("BCC")).toContain("None: all its test images (20) were named right.");
  expect(told("DF")).toContain(strings.lesionTypes.confusionUnknown);
});

test("what the page finds by itself is told in its own words", async () => {
  const { user } = open("/predict", async () => {
    throw new ProblemError(ownProblem("too-large"));
  });
  await choose(user, jpeg());
  expect(await screen.findByText(strings.predict.ownProblems["too-large"] ?? "")).toBeVisible();
  expect(screen.queryByText(/The server says/)).toBeNull();
});

test("a lesion of few pixels is not called none of the image", async () => {
  const lesion = prediction.lesion && {
    ...prediction.lesion,
    measurements: { ...prediction.lesion.measurements, area_share: 0.004 },
  };
  const { user } = open("/predict", async () => ({ ...prediction, lesion }));
  await choose(user, jpeg());
  expect(await screen.findByText(/0.4% of the image/)).toBeVisible();
});

test("a sensitivity short of all is not called 100 %", async () => {
  const classifier = serving.classifier && {
    ...serving.classifier,
    diagnoses: [{ code: "MEL" as const, support: 500, sensitivity: 0.996 }],
  };
  open("/about", undefined, lesionTypes, { ...serving, classifier });
  expect(await screen.findByRole("cell", { name: "99.6%" })).toBeVisible();
});

test("leaving the page loses no answer", async () => {
  const { user } = open("/predict");
  await choose(user, jpeg());
  await screen.findByRole("heading", { name: strings.result.probabilities });
  await user.click(screen.getByRole("link", { name: strings.pages.about }));
  await screen.findByRole("heading", { name: strings.about.heading });
  await user.click(screen.getByRole("link", { name: strings.pages.predict }));
  expect(await screen.findByRole("heading", { name: strings.result.probabilities })).toBeVisible();
});

test.each([
  ["the focus goes from the button that asked to the switch of the layer", true],
  ["the focus stays where it has gone meanwhile", false],
])("when the heat map comes it is said, and %s", async (_name, stays) => {
  const { heat_map } = prediction;
  if (!heat_map) throw new Error("the contract's example has no heat map");
  let come = () => {};
  const { user } = open("/predict", async (_image, _told, { heatMap }) => {
    if (!heatMap) return { ...prediction, heat_map: null };
    await new Promise<void>((resolve) => {
      come = resolve;
    });
    return prediction;
  });
  await choose(user, jpeg());
  const button = await screen.findByRole("button", { name: strings.viewer.askHeatMap });
  await user.click(button);
  const status = screen.getByText(strings.viewer.askingHeatMap);
  expect(status).toHaveRole("status");
  expect(button).toHaveFocus();
  const elsewhere = screen.getByRole("button", { name: strings.viewer.zoomIn });
  if (!stays) act(() => elsewhere.focus());
  await act(async () => come());
  expect(status).toBeInTheDocument();
  expect(status).toHaveTextContent(strings.viewer.heatMapOf(strings.lesions[heat_map.code].name));
  const toggle = screen.getByRole("checkbox", { name: strings.viewer.heatMap });
  await waitFor(() => expect(stays ? toggle : elsewhere).toHaveFocus());
});

test.each([strings.viewer.zoomOut, strings.viewer.whole])(
  "%s keeps the focus when there is nothing left to do",
  async (name) => {
    const { user } = open("/predict");
    await choose(user, jpeg());
    await user.click(await screen.findByRole("button", { name: strings.viewer.zoomIn }));
    const button = screen.getByRole("button", { name });
    expect(button).toHaveAttribute("aria-disabled", "false");
    await user.click(button);
    expect(button).toHaveAttribute("aria-disabled", "true");
    expect(button).toBeEnabled();
    expect(button).toHaveFocus();
  },
);

test("a screen reader is told what became of an image", async () => {
  const { user } = open("/predict");
  await choose(user, jpeg());
  const words = strings.predict.announce.answered("lesion.jpg", "Melanoma", "71.0%");
  expect(await screen.findByText(words, { exact: false })).toBeInTheDocument();
});

test("whoever removes an image is at the next, at the one before where it was the last, and then at the heading", async () => {
  const text = strings.predict;
  const { user } = open("/predict");
  await choose(user, jpeg("a.jpg"), jpeg("b.jpg"), jpeg("c.jpg"));
  const button = (name: string) => screen.findByRole("button", { name });
  const remove = async (name: string) => {
    (await button(text.removeOf(name))).focus();
    await user.keyboard("{Enter}");
    expect(await screen.findByText(text.removed(name), { exact: false })).toBeInTheDocument();
  };
  await remove("b.jpg");
  expect(await button(text.show("c.jpg"))).toHaveFocus();
  await remove("c.jpg");
  expect(await button(text.show("a.jpg"))).toHaveFocus();
  await remove("a.jpg");
  expect(screen.getByRole("heading", { level: 1 })).toHaveFocus();
});

test("whoever sends an image again is still at it", async () => {
  const { user } = open("/predict", async () => {
    throw new ProblemError(problem("unreadable", 422));
  });
  await choose(user, jpeg());
  await user.click(await screen.findByRole("button", { name: strings.predict.retryOf("lesion.jpg") }));
  expect(screen.getByRole("button", { name: strings.predict.show("lesion.jpg") })).toHaveFocus();
});

test("a model's card is shown below the page's headings, and HTML in it stays text", async () => {
  const card =
    "# Card\n\n<img src=x onerror=alert(1)> and [here](javascript:alert(1))\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
  const queries = createQueryClient();
  const { Card } = await import("./pages/about/card");
  const { container } = render(
    <QueryClientProvider client={queries}>
      <Card name="m" markdown={card} />
    </QueryClientProvider>,
  );
  expect(container.querySelector("img")).toBeNull();
  expect(container.querySelector("[href^=javascript]")).toBeNull();
  expect(screen.getByRole("heading", { name: "Card" }).tagName).toBe("H4");
  expect(container.querySelector("td")).toHaveTextContent("1");
});
