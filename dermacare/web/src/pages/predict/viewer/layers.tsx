import type { Prediction } from "../../../api/types";
import type { Shown } from "./layer-controls";
import styles from "./viewer.module.css";

interface Props {
  prediction: Prediction;
  shown: Shown;
  scale: number;
}

/** What lies over the image: mask, heat map, outline. Words say the same below, so a screen reader skips them. */
export function Layers({ prediction: { lesion, heat_map, image }, shown, scale }: Props) {
  return (
    <div className={styles.layers} aria-hidden="true">
      {lesion && shown.mask && (
        <div className={styles.mask} style={{ maskImage: `url(${lesion.mask})`, opacity: shown.opacity }} />
      )}
      {heat_map && shown.heatMap && (
        <img
          className={styles.heat}
          src={heat_map.picture}
          alt=""
          style={{ opacity: Math.min(1, shown.opacity * 2) }}
        />
      )}
      {lesion && shown.contour && (
        <svg
          className={styles.contour}
          viewBox={`0 0 ${image.width} ${image.height}`}
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          {lesion.contours.map((contour) => {
            const points = contour.map((point) => point.join(",")).join(" ");
            return (
              <g key={points}>
                <polygon points={points} className={styles.edge} strokeWidth={4 / scale} />
                <polygon points={points} className={styles.line} strokeWidth={2 / scale} />
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}
