import { useState } from "react";
import { Checkbox, Label, Slider, SliderOutput, SliderThumb, SliderTrack } from "react-aria-components";
import type { Prediction } from "../../../api/types";
import { probability } from "../../../format";
import { PlainButton } from "../../../layout/button";
import { useQueue } from "../../../queue/context";
import type { Explanation, Item } from "../../../queue/queue";
import { strings } from "../../../strings";
import { problemWords } from "../problem-words";
import styles from "./viewer.module.css";

/** Which layers lie over the image; `opacity`: of the mask, 0 to 1. */
export interface Shown {
  mask: boolean;
  contour: boolean;
  heatMap: boolean;
  opacity: number;
}

interface Props {
  item: Item;
  prediction: Prediction;
  shown: Shown;
  onChange: (change: Partial<Shown>) => void;
}

/** Layers on and off, and how strongly they cover. */
export function LayerControls({ item, prediction, shown, onChange }: Props) {
  const text = strings.viewer;
  // The button that asked for the heat map goes when it comes; whoever is still at it finds himself at the switch in its place.
  const [isAtAsk, setAtAsk] = useState(false);
  return (
    <div className={styles.controls}>
      <fieldset className={styles.toggles}>
        <legend className="visually-hidden">{text.layers}</legend>
        {prediction.lesion && (
          <>
            <Toggle label={text.mask} isSelected={shown.mask} onChange={(mask) => onChange({ mask })} />
            <Toggle label={text.contour} isSelected={shown.contour} onChange={(contour) => onChange({ contour })} />
          </>
        )}
        {prediction.heat_map && (
          <Toggle
            label={text.heatMap}
            isSelected={shown.heatMap}
            autoFocus={isAtAsk}
            onChange={(heatMap) => onChange({ heatMap })}
          />
        )}
      </fieldset>
      {(prediction.lesion || prediction.heat_map) && (
        <Opacity value={shown.opacity} onChange={(opacity) => onChange({ opacity })} />
      )}
      <HeatMap item={item} prediction={prediction} onAsk={() => onChange({ mask: false })} onFocusChange={setAtAsk} />
    </div>
  );
}

interface ToggleProps {
  label: string;
  isSelected: boolean;
  autoFocus?: boolean;
  onChange: (on: boolean) => void;
}

function Toggle({ label, isSelected, autoFocus = false, onChange }: ToggleProps) {
  return (
    <Checkbox className={styles.toggle} isSelected={isSelected} autoFocus={autoFocus} onChange={onChange}>
      <span className={styles.key} aria-hidden="true" />
      {label}
    </Checkbox>
  );
}

function Opacity({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  return (
    <Slider
      className={styles.slider}
      minValue={0}
      maxValue={1}
      step={0.05}
      value={value}
      onChange={(opacity) => onChange(opacity as number)}
      formatOptions={{ style: "percent" }}
    >
      <Label>{strings.viewer.opacity}</Label>
      <SliderTrack className={styles.track}>
        <SliderThumb className={styles.thumb} />
      </SliderTrack>
      <SliderOutput />
    </Slider>
  );
}

interface HeatMapProps {
  item: Item;
  prediction: Prediction;
  onAsk: () => void;
  /** Told whether the button that asks has the focus; as it goes with the focus, it tells no more. */
  onFocusChange: (isFocused: boolean) => void;
}

/** Asks for the heat map, or says what it shows. */
function HeatMap({ item, prediction, onAsk, onFocusChange }: HeatMapProps) {
  const queue = useQueue();
  if (!prediction.heat_map && prediction.diagnoses.length === 0) return null;
  const ask = () => {
    onAsk(); // two colours over one another would show neither
    void queue.explain(item.id);
  };
  return (
    <div className={styles.explain}>
      {!prediction.heat_map && (
        // Asked twice it asks once; disabled it would lose the focus.
        <PlainButton onPress={ask} onFocusChange={onFocusChange}>
          {strings.viewer.askHeatMap}
        </PlainButton>
      )}
      {/* It stays where it is, so that a screen reader says what comes into it. */}
      <span role="status" className={styles.hint}>
        {heatMapWords(prediction, item.explanation)}
      </span>
    </div>
  );
}

/** What the heat map shows, or how far the question for it is. */
function heatMapWords({ heat_map }: Prediction, explanation: Explanation): string {
  const text = strings.viewer;
  if (heat_map) {
    const words = text.heatMapOf(strings.lesions[heat_map.code].name);
    return heat_map.on_lesion === null ? words : `${words} ${text.onLesion(probability(heat_map.on_lesion))}`;
  }
  switch (explanation.kind) {
    case "none":
      return "";
    case "asked":
      return text.askingHeatMap;
    case "failed":
      return text.heatMapFailed(problemWords(explanation.problem));
    default:
      return text.noHeatMap[explanation.kind];
  }
}
