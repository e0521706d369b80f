const frame = (inside: string): string =>
  `<svg viewBox="0 0 120 72" aria-hidden="true" focusable="false">${inside}</svg>`;
const LAPTOP =
  '<rect class="line" x="34" y="10" width="52" height="36" rx="4"/><path class="line" d="M26 50h68l4 8H22z"/>';
const key = (x: number, y: number): string =>
  `<g transform="translate(${x} ${y})"><rect class="metal" x="-12" y="5" width="12" height="9"/>` +
  '<rect class="solid" width="32" height="19" rx="5"/><circle class="gold" cx="16" cy="9.5" r="5.5"/></g>';

/** One for each step, in their order. They say nothing that the text does not. */
export const STEP_PICTURES: readonly string[] = [
  frame(`${LAPTOP}<path class="green" d="M60 16v16m-7-7 7 7 7-7"/>`),
  frame(
    `<rect class="line" x="-10" y="18" width="46" height="38" rx="4"/>${key(66, 27)}<path class="green" d="M50 37H40m4-4-4 4 4 4"/>`,
  ),
  frame(
    `${key(50, 6)}<rect class="line" x="26" y="38" width="68" height="22" rx="5"/>` +
      [40, 50, 60, 70, 80].map((x) => `<circle class="solid" cx="${x}" cy="49" r="2.5"/>`).join(''),
  ),
  frame(`${key(44, 26)}<circle class="ring" cx="60" cy="35.5" r="11"/><circle class="ring" cx="60" cy="35.5" r="17"/>`),
  frame(`${LAPTOP}<path class="green" d="m50 28 7 7 13-14"/>`),
];
