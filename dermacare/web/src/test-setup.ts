import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

afterEach(cleanup);

// How long is waited for what comes in the end; a busy machine is no fault of the pages.
configure({ asyncUtilTimeout: 20_000 });

// jsdom has neither: it makes no pictures and scrolls nothing.
URL.createObjectURL = () => "blob:picture";
URL.revokeObjectURL = () => {};
window.scrollTo = () => {};
Element.prototype.scrollIntoView = () => {};
