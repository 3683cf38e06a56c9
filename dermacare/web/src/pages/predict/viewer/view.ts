/** What part of an image is seen: `scale` 1 shows all of it; `x` and `y` are where its left upper corner lies, in pixels of the frame. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export const WHOLE: View = { scale: 1, x: 0, y: 0 };
const MOST = 8;

/** Keep the frame filled: no edge of the image comes within it. */
function held({ scale, x, y }: View, { width, height }: Size): View {
  const within = (value: number, side: number) => Math.min(0, Math.max(side * (1 - scale), value));
  return { scale, x: within(x, width), y: within(y, height) };
}

/** Zoom by a factor, leaving the point (`px`, `py`) of the frame where it is. */
export function zoomed(view: View, factor: number, px: number, py: number, size: Size): View {
  const scale = Math.min(MOST, Math.max(1, view.scale * factor));
  const ratio = scale / view.scale;
  return held({ scale, x: px - (px - view.x) * ratio, y: py - (py - view.y) * ratio }, size);
}

/** Move the image by so many pixels of the frame. */
export function moved(view: View, dx: number, dy: number, size: Size): View {
  return held({ ...view, x: view.x + dx, y: view.y + dy }, size);
}
