import { useEffect, useEffectEvent, useState } from "react";

/** Files that are pasted, or dropped anywhere on the page. Of a folder that is dropped the name alone comes, as an empty file of
 * the type "folder".
 *
 * React Aria's drop zone is not used: it takes files alone that lie on a disk, and so loses a picture that is dragged or copied
 * out of another program.
 *
 * @returns whether something is being dragged over the page.
 */
export function useFiles(onFiles: (files: File[]) => void): boolean {
  const [isOver, setOver] = useState(false);
  const take = useEffectEvent((event: Event, transfer: DataTransfer | null) => {
    const files = filesOf(transfer);
    if (files.length === 0) return;
    event.preventDefault();
    event.stopPropagation(); // a field would take the picture for an empty text, and put that in place of what is marked in it
    onFiles(files);
  });
  useEffect(() => {
    const over = new AbortController();
    const listen = <K extends keyof WindowEventMap>(name: K, listener: (event: WindowEventMap[K]) => void) =>
      window.addEventListener(name, listener, { signal: over.signal, capture: true });
    listen("paste", (event) => {
      const { target, clipboardData } = event;
      // Cells of a spreadsheet are copied as a picture, too: in a field their text is meant.
      const typed = target instanceof HTMLInputElement && target.type === "text";
      if (typed && clipboardData?.types.includes("text/plain")) return;
      take(event, clipboardData);
    });
    listen("dragover", (event) => {
      event.preventDefault(); // else the browser opens what is dropped, and every answer on the page is gone
      setOver(true);
    });
    // It leaves one element for another all the time; out of the window it goes to none.
    listen("dragleave", (event) => event.relatedTarget ?? setOver(false));
    listen("drop", (event) => {
      event.preventDefault();
      setOver(false);
      take(event, event.dataTransfer);
    });
    return () => over.abort();
  }, []);
  return isOver;
}

function filesOf(transfer: DataTransfer | null): File[] {
  return [...(transfer?.items ?? [])].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    if (entry?.isDirectory) return new File([], entry.name, { type: "folder" });
    return item.getAsFile() ?? [];
  });
}
