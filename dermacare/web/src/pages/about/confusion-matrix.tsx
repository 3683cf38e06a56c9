import type { ModelFacts } from "../../api/types";
import { count } from "../../format";
import { strings } from "../../strings";
import styles from "./confusion-matrix.module.css";

type Confusion = NonNullable<ModelFacts["confusion"]>;

/** Test images by true diagnosis and answer. It scrolls within itself where it is too wide, so it can be focused. */
export function ConfusionMatrix({ confusion: { codes, counts } }: { confusion: Confusion }) {
  const text = strings.about;
  return (
    <>
      <p className={styles.explain}>{text.confusionExplain}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1) */}
      <section className={styles.scroll} tabIndex={0} aria-label={text.confusion}>
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">{text.trueDiagnosis}</th>
              {codes.map((code) => (
                <th key={code} scope="col">
                  {code}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {codes.map((code, row) => (
              <Row key={code} code={code} counts={counts[row] ?? []} right={row} codes={codes} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function Row({ code, counts, right, codes }: { code: string; counts: number[]; right: number; codes: string[] }) {
  const total = counts.reduce((sum, one) => sum + one, 0);
  return (
    <tr>
      <th scope="row">{code}</th>
      {counts.map((one, column) => (
        <td key={codes[column]} data-right={column === right} data-shade={shade(total === 0 ? 0 : one / total)}>
          {count(one)}
        </td>
      ))}
    </tr>
  );
}

/** Five steps of shade by share of the row, 0 to 4: a style sheet can hold no continuous one without inline styles. */
function shade(share: number): number {
  if (share === 0) return 0;
  return share < 0.1 ? 1 : share < 0.3 ? 2 : share < 0.6 ? 3 : 4;
}
