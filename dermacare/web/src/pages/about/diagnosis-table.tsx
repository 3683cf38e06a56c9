import { useLesionTypes } from "../../api/queries";
import type { ModelFacts } from "../../api/types";
import { count, probability } from "../../format";
import { Swatch } from "../../layout/swatch";
import { strings } from "../../strings";
import styles from "./diagnosis-table.module.css";

/** How well each diagnosis is found. */
export function DiagnosisTable({ diagnoses }: { diagnoses: ModelFacts["diagnoses"] }) {
  const text = strings.about;
  const { data: types } = useLesionTypes();
  return (
    <>
      <p className={styles.explain}>{text.byDiagnosisExplain}</p>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">{text.diagnosis}</th>
            <th scope="col">{text.support}</th>
            <th scope="col">{text.sensitivity}</th>
          </tr>
        </thead>
        <tbody>
          {diagnoses.map(({ code, support, sensitivity }) => {
            const type = types?.find((one) => one.code === code);
            return (
              <tr key={code}>
                <th scope="row">
                  <Swatch colour={type?.colour} /> {strings.lesions[code].name}
                </th>
                <td>{count(support)}</td>
                <td>{sensitivity === null ? text.none : probability(sensitivity)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}
