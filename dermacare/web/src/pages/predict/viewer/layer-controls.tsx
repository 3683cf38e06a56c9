import { Checkbox, Label, Slider, SliderOutput, SliderThumb, SliderTrack } from "react-aria-components";
import type { Prediction } from "../../../api/types";
import { probability } from "../../../format";
import { PlainButton } from "../../../layout/button";
import { useQueue } from "../../../queue/context";
import type { Item } from "../../../queue/queue";
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
          <Toggle label={text.heatMap} isSelected={shown.heatMap} onChange={(heatMap) => onChange({ heatMap })} />
        )}
      </fieldset>
      {(prediction.lesion || prediction.heat_map) && (
        <Opacity value={shown.opacity} onChange={(opacity) => onChange({ opacity })} />
      )}
      <HeatMap item={item} prediction={prediction} onAsk={() => onChange({ mask: false })} />
    </div>
  );
}

function Toggle({
  label,
  isSelected,
  onChange,
}: {
  label: string;
  isSelected: boolean;
  onChange: (on: boolean) => void;
}) {
  return (
    <Checkbox className={styles.toggle} isSelected={isSelected} onChange={onChange}>
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

/** Asks for the heat map, or says what it shows. */
function HeatMap({ item, prediction, onAsk }: { item: Item; prediction: Prediction; onAsk: () => void }) {
  const text = strings.viewer;
  const queue = useQueue();
  const { heat_map } = prediction;
  if (heat_map) {
    return (
      <p className={styles.hint}>
        {text.heatMapOf(strings.lesions[heat_map.code].name)}
        {heat_map.on_lesion !== null && ` ${text.onLesion(probability(heat_map.on_lesion))}`}
      </p>
    );
  }
  if (prediction.diagnoses.length === 0) return null;
  const { explanation } = item;
  const asked = explanation.kind === "asked";
  const ask = () => {
    onAsk(); // two colours over one another would show neither
    void queue.explain(item.id);
  };
  return (
    <div className={styles.explain}>
      {/* Asked twice it asks once; disabled it would lose the focus. */}
      <PlainButton onPress={ask}>{text.askHeatMap}</PlainButton>
      <span role="status" className={styles.hint}>
        {asked && text.askingHeatMap}
        {(explanation.kind === "changed" || explanation.kind === "absent") && text.noHeatMap[explanation.kind]}
        {explanation.kind === "failed" && text.heatMapFailed(problemWords(explanation.problem))}
      </span>
    </div>
  );
}
