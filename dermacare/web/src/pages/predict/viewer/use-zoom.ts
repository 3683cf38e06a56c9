import { type KeyboardEvent, type RefObject, useCallback, useEffect, useEffectEvent, useState } from "react";
import { moved, type Size, type View, WHOLE, zoomed } from "./view";

const STEP = 1.5;
/** What keys do: zoom by a factor (0: show the whole image), move by pixels. */
const FACTORS = new Map([
  ["+", STEP],
  ["=", STEP],
  ["-", 1 / STEP],
  ["0", 0],
]);
const ARROWS = new Map<string, [number, number]>([
  ["ArrowLeft", [40, 0]],
  ["ArrowRight", [-40, 0]],
  ["ArrowUp", [0, 40]],
  ["ArrowDown", [0, -40]],
]);

export interface Zoom {
  view: View;
  zoomIn: () => void;
  zoomOut: () => void;
  whole: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

/** Zooming by buttons, keys, wheel with Ctrl (as a pinch on a touchpad sends it), fingers and dragging. */
export function useZoom(frame: RefObject<HTMLElement | null>): Zoom {
  const [view, setView] = useState(WHOLE);
  const sizeOf = useCallback(
    (): Size => ({ width: frame.current?.clientWidth ?? 0, height: frame.current?.clientHeight ?? 0 }),
    [frame],
  );
  const by = (factor: number) => {
    const size = sizeOf();
    setView((old) => zoomed(old, factor, size.width / 2, size.height / 2, size));
  };
  const move = (dx: number, dy: number) => setView((old) => moved(old, dx, dy, sizeOf()));
  usePointers(frame, view.scale > 1, {
    zoom: (factor, px, py) => setView((old) => zoomed(old, factor, px, py, sizeOf())),
    move,
  });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const factor = FACTORS.get(event.key);
    const arrow = ARROWS.get(event.key);
    if (factor === 0) setView(WHOLE);
    else if (factor) by(factor);
    // Arrows scroll the page while all of the image is seen.
    else if (arrow && view.scale > 1) move(...arrow);
    else return;
    event.preventDefault();
  };
  return { view, zoomIn: () => by(STEP), zoomOut: () => by(1 / STEP), whole: () => setView(WHOLE), onKeyDown };
}

interface Hands {
  zoom: (factor: number, px: number, py: number) => void;
  move: (dx: number, dy: number) => void;
}

/** Wheel, mouse and fingers over the frame. One finger scrolls the page until the image is zoomed. */
function usePointers(frame: RefObject<HTMLElement | null>, isZoomed: boolean, hands: Hands): void {
  const wheel = useEffectEvent((event: WheelEvent) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = frame.current?.getBoundingClientRect();
    if (box) hands.zoom(Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
  });
  const drag = useEffectEvent((event: PointerEvent) => {
    if (event.pointerType === "touch" || event.buttons !== 1) return;
    hands.move(event.movementX, event.movementY);
  });
  const touch = useEffectEvent((event: TouchEvent, before: Touch[]) => {
    const box = frame.current?.getBoundingClientRect();
    const [now, other] = event.touches;
    const [old, oldOther] = before;
    if (!box || !now || !old || (!other && !isZoomed)) return;
    event.preventDefault();
    if (other && oldOther) {
      const factor = distance(now, other) / Math.max(1, distance(old, oldOther));
      hands.zoom(factor, (now.clientX + other.clientX) / 2 - box.left, (now.clientY + other.clientY) / 2 - box.top);
    } else {
      hands.move(now.clientX - old.clientX, now.clientY - old.clientY);
    }
  });
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    let before: Touch[] = [];
    const remember = (event: TouchEvent) => {
      before = [...event.touches];
    };
    const onTouch = (event: TouchEvent) => {
      touch(event, before);
      remember(event);
    };
    const over = new AbortController();
    const { signal } = over;
    element.addEventListener("wheel", wheel, { passive: false, signal });
    element.addEventListener("pointermove", drag, { signal });
    element.addEventListener("touchstart", remember, { passive: true, signal });
    element.addEventListener("touchend", remember, { passive: true, signal });
    element.addEventListener("touchmove", onTouch, { passive: false, signal });
    return () => over.abort();
  }, [frame]);
}

function distance(a: Touch, b: Touch): number {
  return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
}
