import { useId, useRef } from "react";
import { Checkbox, Input, Label, NumberField, Text } from "react-aria-components";
import type { Told } from "../../api/predict";
import type { Sex, Site } from "../../api/types";
import { PlainButton } from "../../layout/button";
import { strings } from "../../strings";
import styles from "./told-form.module.css";
import { toldWords } from "./told-words";

interface Props {
  told: Told;
  /** Told what changed alone: two fields may change at once, one by losing the focus to the other. */
  onChange: (change: Partial<Told>) => void;
}

export const NOTHING_TOLD: Told = { age: null, sex: null, site: null, consent: false };

/** Take what was typed into the field that has the focus: fields take it when the focus leaves them, and images may come before. */
export function takeTyped(): void {
  const field = document.activeElement;
  if (!(field instanceof HTMLInputElement)) return;
  field.blur();
  field.focus({ preventScroll: true });
}

/** What may be told of the patient, and whether images may be kept. It goes along with images that are added afterwards, until the
 * next patient. */
export function ToldForm({ told, onChange }: Props) {
  const text = strings.predict;
  const summary = useRef<HTMLElement>(null);
  const clear = () => {
    onChange(NOTHING_TOLD);
    summary.current?.focus(); // the button goes, and would take the focus with it
  };
  const words = [...toldWords(told), told.consent && text.imagesKept].filter(Boolean).join(", ");
  return (
    <div className={styles.form}>
      <details>
        <summary ref={summary}>
          {text.details}
          {words && <span className={styles.hint}>: {words}</span>}
        </summary>
        <div className={styles.fields}>
          <p className={styles.hint}>{text.detailsHint}</p>
          <NumberField
            className={styles.field}
            minValue={0}
            maxValue={120}
            step={1}
            value={told.age ?? Number.NaN}
            onChange={(age) => onChange({ age: Number.isNaN(age) ? null : age })}
          >
            <Label>{text.age}</Label>
            <Input />
            <Text slot="description" className={styles.hint}>
              {text.ageHint}
            </Text>
          </NumberField>
          <Choice<Sex> label={text.sex} names={text.sexes} value={told.sex} onChange={(sex) => onChange({ sex })} />
          <Choice<Site>
            label={text.site}
            names={text.sites}
            value={told.site}
            onChange={(site) => onChange({ site })}
          />
          <Consent isSelected={told.consent} onChange={(consent) => onChange({ consent })} />
        </div>
      </details>
      {words && <PlainButton onPress={clear}>{text.nextPatient}</PlainButton>}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  names: Record<T, string>;
  value: T | null;
  onChange: (value: T | null) => void;
}

/** One of a few words, or none. The browser's own list: each phone shows it in its own way. */
function Choice<T extends string>({ label, names, value, onChange }: ChoiceProps<T>) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value ?? ""} onChange={({ target }) => onChange((target.value || null) as T | null)}>
        <option value="">{strings.predict.notTold}</option>
        {(Object.keys(names) as T[]).map((name) => (
          <option key={name} value={name}>
            {names[name]}
          </option>
        ))}
      </select>
    </div>
  );
}

function Consent({ isSelected, onChange }: { isSelected: boolean; onChange: (value: boolean) => void }) {
  const id = useId();
  return (
    <div className={styles.consent}>
      <Checkbox className={styles.checkbox} isSelected={isSelected} onChange={onChange} aria-describedby={id}>
        <span className={styles.box} aria-hidden="true">
          <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d="m3 8.5 3.5 3.5L13 5" />
          </svg>
        </span>
        {strings.predict.consent}
      </Checkbox>
      <p id={id} className={styles.hint}>
        {strings.predict.consentHint}
      </p>
    </div>
  );
}
