/** The element's own style. What a page may change is a `--vitrine-*` property or a part; the rest may change here. */
export const styles = `
:host {
  --ink: var(--vitrine-ink, light-dark(#15201d, #e8eeec));
  --quiet: var(--vitrine-quiet, light-dark(#566561, #95a59f));
  --paper: var(--vitrine-paper, light-dark(#ffffff, #131b19));
  --line: var(--vitrine-line, light-dark(#cfd8d5, #33413d));
  --accent: var(--vitrine-accent, light-dark(#007766, #4db6a3));
  --on-accent: var(--vitrine-on-accent, light-dark(#ffffff, #06130f));
  --alarm: var(--vitrine-alarm, light-dark(#a1330b, #ffb08c));
  --radius: var(--vitrine-radius, 0.75rem);
  --space: var(--vitrine-space, 1rem);
  display: block;
  font: inherit;
  color: var(--ink);
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
.label { display: block; margin-block-end: 0.4rem; font-weight: 600; cursor: default; }
.frame {
  display: flex;
  flex-direction: column;
  overflow: hidden;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--paper);
  transition: border-color 0.15s, box-shadow 0.15s;
}
.frame:has(textarea:focus-visible) { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.paper {
  display: grid;
  min-height: var(--vitrine-min-height, 8.5rem);
  max-height: var(--vitrine-max-height, 24rem);
  overflow: auto;
  overscroll-behavior: contain;
  font: var(--vitrine-text-font, inherit);
  line-height: 1.65;
  scrollbar-width: thin;
}
.mirror, textarea {
  grid-area: 1 / 1;
  min-width: 0;
  margin: 0;
  padding: var(--space);
  padding-block-end: calc(var(--space) / 2);
  border: 0;
  font: inherit;
  letter-spacing: inherit;
  word-spacing: inherit;
  text-align: start;
  white-space: pre-wrap;
  overflow-wrap: break-word;
  tab-size: 4;
}
.mirror { color: transparent; pointer-events: none; user-select: none; }
.mirror::after { content: "\\200b"; }
mark {
  border-radius: 0.15em;
  background: color-mix(in srgb, var(--accent) 12%, transparent);
  box-decoration-break: clone;
  -webkit-box-decoration-break: clone;
  color: transparent;
}
.caret {
  display: inline-block;
  width: 0;
  height: 1.15em;
  margin-inline: 1px -1px;
  border-inline-start: 2px solid var(--accent);
  vertical-align: text-bottom;
  animation: blink 1.1s steps(2, jump-none) infinite;
}
textarea {
  display: block;
  width: 100%;
  overflow: hidden;
  resize: none;
  outline: 0;
  background: none;
  color: inherit;
  caret-color: var(--accent);
}
textarea::placeholder { color: var(--quiet); opacity: 1; }
textarea::selection { background: color-mix(in srgb, var(--accent) 30%, transparent); }
:host([disabled]) textarea, :host(:disabled) textarea { color: var(--quiet); cursor: not-allowed; }
.progress { position: relative; height: 2px; overflow: hidden; background: var(--line); }
.progress i {
  position: absolute;
  inset: 0;
  background: var(--accent);
  transform: scaleX(var(--at, 0));
  transform-origin: 0 0;
  transition: transform 0.2s;
}
:host(:dir(rtl)) .progress i { transform-origin: 100% 0; }
.progress:not([aria-valuenow]) i { transform: none; width: 30%; animation: slide 1.4s ease-in-out infinite; }
.error {
  display: grid;
  gap: 0.35rem;
  justify-items: start;
  margin: 0 var(--space);
  padding: 0.65rem 0.85rem;
  border-inline-start: 3px solid var(--alarm);
  border-radius: 0.25rem;
  background: color-mix(in srgb, var(--alarm) 9%, transparent);
}
.error p { margin: 0; font-weight: 600; color: var(--alarm); }
.error small { overflow-wrap: anywhere; font-size: 0.8125rem; line-height: 1.45; color: var(--ink); }
.bar {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.5rem;
  padding: 0.5rem;
  padding-inline-start: var(--space);
}
.actions { display: flex; gap: 0.5rem; margin-inline-start: auto; }
.status {
  flex: 1 1 6rem;
  min-width: 0;
  margin: 0;
  color: var(--quiet);
  font-size: 0.8125rem;
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
}
button {
  min-height: 2.5rem;
  padding: 0 1rem;
  border: 1px solid transparent;
  border-radius: calc(var(--radius) * 0.6);
  background: none;
  color: var(--ink);
  font: inherit;
  font-size: 0.9375rem;
  cursor: pointer;
  touch-action: manipulation;
  -webkit-tap-highlight-color: transparent;
}
button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
button:disabled { opacity: 0.5; cursor: not-allowed; }
.go { min-width: 6.5rem; background: var(--accent); color: var(--on-accent); font-weight: 600; }
.go:hover:not(:disabled) { background: color-mix(in srgb, var(--accent) 86%, var(--ink)); }
.go.busy { border-color: var(--line); background: none; color: var(--ink); }
.go.busy:hover { border-color: var(--ink); background: none; }
.undo { padding-inline: 0.75rem; color: var(--quiet); }
.undo:hover:not(:disabled), .retry:hover { color: var(--ink); text-decoration: underline; text-underline-offset: 0.25em; }
.retry { min-height: 2rem; padding: 0; font-size: 0.875rem; font-weight: 600; text-decoration: underline; text-underline-offset: 0.25em; }
.heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@keyframes blink { from { opacity: 1; } to { opacity: 0; } }
@keyframes slide { from { transform: translateX(-100%); } to { transform: translateX(340%); } }
@media (pointer: coarse) { button { min-height: 2.75rem; } .retry { min-height: 2.75rem; } .shortcut { display: none; } }
@media (prefers-reduced-motion: reduce) {
  .frame, .progress i { transition: none; }
  .caret, .progress:not([aria-valuenow]) i { animation: none; }
  .progress:not([aria-valuenow]) i { width: 100%; opacity: 0.5; }
}
@media (forced-colors: active) { .mirror { visibility: hidden; } .progress i { background: Highlight; } }
`;
