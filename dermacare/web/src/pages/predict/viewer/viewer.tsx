import { type CSSProperties, useRef, useState } from "react";
import { percent } from "../../../format";
import { IconButton } from "../../../layout/button";
import { MinusIcon, PlusIcon, WholeIcon } from "../../../layout/icons";
import type { Item } from "../../../queue/queue";
import { strings } from "../../../strings";
import { LayerControls, type Shown } from "./layer-controls";
import { Layers } from "./layers";
import { useZoom, type Zoom } from "./use-zoom";
import styles from "./viewer.module.css";

/** The image, what lies over it, and how near one looks. */
export function Viewer({ item }: { item: Item }) {
  const frame = useRef<HTMLDivElement>(null);
  const zoom = useZoom(frame);
  const [shown, setShown] = useState<Shown>({ mask: true, contour: true, heatMap: true, opacity: 0.35 });
  const prediction = item.state.kind === "answered" ? item.state.prediction : null;
  return (
    <div className={styles.viewer}>
      <div className={styles.outer}>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset groups fields; this groups a picture and its layers */}
        <div
          ref={frame}
          className={styles.frame}
          role="group"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: keys zoom and move the image, as the label says
          tabIndex={0}
          aria-label={strings.viewer.label(item.file.name)}
          data-zoomed={zoom.view.scale > 1}
          onKeyDown={zoom.onKeyDown}
        >
          <div className={styles.stage} style={viewOf(zoom)}>
            <Picture item={item} />
            {prediction && <Layers prediction={prediction} shown={shown} scale={zoom.view.scale} />}
          </div>
        </div>
        <ZoomButtons zoom={zoom} />
      </div>
      {prediction && (
        <LayerControls
          item={item}
          prediction={prediction}
          shown={shown}
          onChange={(change) => setShown((old) => ({ ...old, ...change }))}
        />
      )}
    </div>
  );
}

/** As a property of its own, so that print can show the whole image. */
function viewOf({ view: { scale, x, y } }: Zoom): CSSProperties {
  return { "--view": `translate(${x}px, ${y}px) scale(${scale})` } as CSSProperties;
}

function Picture({ item }: { item: Item }) {
  const [failed, setFailed] = useState(false);
  if (failed) return <p className={styles.failed}>{strings.predict.noPreview}</p>;
  return (
    <img
      className={styles.image}
      src={item.url}
      alt={strings.viewer.alt(item.file.name)}
      draggable={false}
      onError={() => setFailed(true)}
    />
  );
}

function ZoomButtons({ zoom }: { zoom: Zoom }) {
  const text = strings.viewer;
  const { scale } = zoom.view;
  const isWhole = scale === 1; // pressed then, they change nothing; disabled they would lose the focus
  return (
    <div className={styles.zoom}>
      <IconButton aria-label={text.zoomIn} onPress={zoom.zoomIn}>
        <PlusIcon />
      </IconButton>
      <IconButton aria-label={text.zoomOut} onPress={zoom.zoomOut} aria-disabled={isWhole}>
        <MinusIcon />
      </IconButton>
      <IconButton aria-label={text.whole} onPress={zoom.whole} aria-disabled={isWhole}>
        <WholeIcon />
      </IconButton>
      <span className="visually-hidden" role="status">
        {scale > 1 && text.zoomed(percent(scale))}
      </span>
    </div>
  );
}
