import type { ComponentChildren, JSX } from 'preact';

/* Pictures say nothing that the text does not: a screen reader passes over them. Colours come from the stylesheet, so that they follow it. */

function Frame({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    <svg class="picture" viewBox="0 0 240 160" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

const Laptop = (): JSX.Element => (
  <g>
    <rect class="line" x="52" y="30" width="120" height="78" rx="7" />
    <rect class="soft" x="60" y="38" width="104" height="62" rx="3" />
    <path class="line" d="M36 116h152l8 12a4 4 0 0 1-4 6H32a4 4 0 0 1-4-6z" />
  </g>
);

const Key = ({ x, y }: { readonly x: number; readonly y: number }): JSX.Element => (
  <g transform={`translate(${x} ${y})`}>
    <rect class="metal" x="-26" y="10" width="26" height="18" rx="2" />
    <rect class="solid" x="0" y="0" width="62" height="38" rx="9" />
    <circle class="gold" cx="31" cy="19" r="11" />
    <circle class="hole" cx="54" cy="19" r="3.5" />
  </g>
);

export const LaptopPicture = (): JSX.Element => (
  <Frame>
    <Laptop />
    <path class="leaf" d="M112 52c-18 4-26 18-20 32 16 2 28-10 28-30-10 4-18 12-22 24" />
  </Frame>
);

export const PlugPicture = (): JSX.Element => (
  <Frame>
    <rect class="line" x="-30" y="44" width="96" height="72" rx="8" />
    <rect class="hole" x="58" y="70" width="12" height="22" rx="2" />
    <Key x={132} y={62} />
    <path class="line" d="M104 81H80m8-7-8 7 8 7" />
  </Frame>
);

export const PinPicture = (): JSX.Element => (
  <Frame>
    <Key x={104} y={24} />
    <rect class="line" x="44" y="86" width="152" height="44" rx="8" />
    {[68, 92, 116, 140, 164].map((x) => (
      <circle key={x} class="ink" cx={x} cy="108" r="5" />
    ))}
  </Frame>
);

export const TouchPicture = (): JSX.Element => (
  <Frame>
    <Key x={84} y={46} />
    <circle class="ring" cx="115" cy="65" r="20" />
    <circle class="ring late" cx="115" cy="65" r="30" />
    <path
      class="hand"
      d="M118 62c6-5 14 0 14 8v22l22 8c8 3 12 9 11 17l-3 27h-46l-18-30c-4-7 4-13 10-8l8 8V68c0-2 1-5 2-6z"
    />
  </Frame>
);

export const ReadyPicture = (): JSX.Element => (
  <Frame>
    <Laptop />
    <circle class="good" cx="112" cy="69" r="24" />
    <path class="tick" d="m101 69 8 8 15-16" />
  </Frame>
);

export const TroublePicture = (): JSX.Element => (
  <Frame>
    <Laptop />
    <path class="warn" d="M112 46 90 88h44z" />
    <path class="tick" d="M112 60v13m0 6v1" />
  </Frame>
);
