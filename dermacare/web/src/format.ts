import { language } from "./strings";

const percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
const finePercents = new Intl.NumberFormat(language, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const two = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const seconds = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const dates = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const lists = new Intl.ListFormat(language, { type: "conjunction" });

/** A share as a percentage without decimals: "71 %" as the language writes it. */
export function percent(share: number): string {
  return percents.format(share);
}

/** A probability, or a share that may come near to none or all, as a reader may take it: one decimal, and never "0.0 %" or "100.0 %" for what is not impossible or certain. */
export function probability(share: number): string {
  if (share > 0 && share < 0.0005) return `<${finePercents.format(0.001)}`;
  if (share < 1 && share >= 0.9995) return `>${finePercents.format(0.999)}`;
  return finePercents.format(share);
}

export function count(value: number): string {
  return whole.format(value);
}

/** A figure between 0 and 1: two decimals. */
export function figure(value: number): string {
  return two.format(value);
}

/** Milliseconds as seconds with one decimal. */
export function inSeconds(milliseconds: number): string {
  return seconds.format(milliseconds / 1000);
}

export function dateTime(iso: string): string {
  return dates.format(new Date(iso));
}

export function list(items: string[]): string {
  return lists.format(items);
}
