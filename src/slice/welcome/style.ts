/** The stylesheet of the gateway's page, served beside it: its policy allows none in it. */
export const STYLE = `:root {
  color-scheme: light dark;
  --paper: #f6f7f4; --card: #fff; --ink: #1d2620; --quiet: #55605a; --line: #c9d0c8; --kiwi: #3d6b1f; --on-kiwi: #fff; --gold: #d9a53a;
  font-family: system-ui, 'Segoe UI', 'Cantarell', 'DejaVu Sans', sans-serif;
  line-height: 1.5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161b17; --card: #1e2520; --ink: #e9efe7; --quiet: #a9b5aa; --line: #47524a; --kiwi: #9ccf6b; --on-kiwi: #14210b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); }
main, footer { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1.25rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 0.5rem; }
h2 { font-size: 1.125rem; margin: 2rem 0 0.5rem; }
.lead { font-size: 1.125rem; }
.packages, .steps { list-style: none; margin: 0; padding: 0; }
.packages li { margin-bottom: 0.75rem; padding: 0.9rem 1rem; border: 1px solid var(--line); border-radius: 0.6rem; background: var(--card); }
.packages h3 { margin: 0 0 0.4rem; font-size: 1rem; }
.packages .first { border-color: var(--kiwi); border-width: 2px; }
.packages a { display: inline-block; padding: 0.5rem 1rem; border: 1px solid var(--kiwi); border-radius: 0.6rem; color: inherit; text-decoration: none; font-weight: 600; }
.packages .first a { background: var(--kiwi); color: var(--on-kiwi); }
.quiet { color: var(--quiet); font-size: 0.875rem; }
code { font-size: 0.8125rem; overflow-wrap: anywhere; }
.steps { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 1rem; counter-reset: step; }
.steps li { counter-increment: step; }
.steps p { margin: 0; }
.steps p::before { content: counter(step) '. '; font-weight: 600; }
svg { display: block; width: 7.5rem; max-width: 100%; margin-left: -0.5rem; fill: none; stroke-linecap: round; stroke-linejoin: round; }
.line { stroke: var(--ink); stroke-width: 2; fill: var(--card); }
.solid { fill: var(--ink); }
.metal { fill: var(--quiet); }
.gold { fill: var(--gold); }
.green { stroke: var(--kiwi); stroke-width: 3; }
.ring { stroke: var(--gold); stroke-width: 2; }
nav { display: flex; flex-wrap: wrap; gap: 1rem; }
nav a { color: inherit; padding: 0.25rem 0; }
:focus-visible { outline: 3px solid #1457c9; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { :focus-visible { outline-color: #8db9ff; } }
@media (forced-colors: active) { svg * { forced-color-adjust: none; } }
`;
