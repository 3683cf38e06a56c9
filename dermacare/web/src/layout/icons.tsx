import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

/** A lesion within the ring of a dermatoscope. */
export function Mark() {
  return (
    <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <circle cx="16" cy="16" r="13" fill="none" stroke="currentColor" strokeWidth="2.4" />
      <path
        d="M11.2 13.1c1.5-3 5.4-3.9 8-2.2 2.9 1.8 3.9 5.3 2.3 8.1-1.5 2.7-4.6 3.1-7.3 2.4-3.1-.8-4.9-4.8-3-8.3Z"
        fill="currentColor"
      />
    </svg>
  );
}

export const CautionIcon = () => (
  <Icon>
    <path d="M10 3 18 16.5H2Z" />
    <path d="M10 8.2v3.6M10 14.2v.1" />
  </Icon>
);

export const StopIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.5" />
    <path d="m5 15 10-10" />
  </Icon>
);

export const InfoIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.5" />
    <path d="M10 9.2v4.3M10 6.5v.1" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M10 4v12M4 10h12" />
  </Icon>
);

export const MinusIcon = () => (
  <Icon>
    <path d="M4 10h12" />
  </Icon>
);

export const WholeIcon = () => (
  <Icon>
    <path d="M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4" />
  </Icon>
);

export const ImageIcon = () => (
  <Icon>
    <rect x="2.5" y="3.5" width="15" height="13" rx="1.5" />
    <circle cx="7" cy="8" r="1.4" />
    <path d="m3 15 4.5-4 3 2.5 3-3 3.5 3.5" />
  </Icon>
);

export const CameraIcon = () => (
  <Icon>
    <path d="M2.5 6.5h3.2l1.3-2h6l1.3 2h3.2v9.5h-15Z" />
    <circle cx="10" cy="11" r="3" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="m5 5 10 10M15 5 5 15" />
  </Icon>
);

export const AgainIcon = () => (
  <Icon>
    <path d="M16 10a6 6 0 1 1-1.8-4.3" />
    <path d="M16.5 2.5v3.7h-3.7" />
  </Icon>
);

export const PrintIcon = () => (
  <Icon>
    <path d="M5.5 7V3h9v4M5.5 14h-3V7h15v7h-3" />
    <path d="M5.5 11.5h9V17h-9Z" />
  </Icon>
);

export const DownloadIcon = () => (
  <Icon>
    <path d="M10 3v9.5M6 9l4 4 4-4M3.5 16.5h13" />
  </Icon>
);

export const CopyIcon = () => (
  <Icon>
    <rect x="7" y="7" width="10" height="10" rx="1.5" />
    <path d="M13 4.5V3H3v10h1.5" />
  </Icon>
);
