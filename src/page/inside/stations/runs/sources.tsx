import { useState } from 'preact/hooks';
import type { DeviceInfo } from '../../../../index.ts';
import { useLater } from '../../later.ts';
import type { Part } from './parts.ts';
import { filesOf, type Language, pathOf, sourceOf } from './source.ts';
import { words } from './words.ts';

/** The source of a step: its WGSL and its CPU twin, and what runs here where that is WebAssembly. */
export function Sources({ part, kind }: { part: Part; kind: DeviceInfo['kind'] }) {
  return (
    <div class="sources">
      {kind === 'wasm' && <Source part={part} language="wasm" note={words.notes.wasm} />}
      <Source part={part} language="wgsl" note={part.shaders.length > 0 ? words.compiled : words.elsewhere} />
      <Source part={part} language="cpu" note={words.notes.cpu} />
    </div>
  );
}

function Source({ part, language, note }: { part: Part; language: Language; note: string }) {
  const files = filesOf(part, language);
  const [chosen, choose] = useState(files.at(-1)!);
  const { value, failure } = useLater(() => sourceOf(language, chosen), [language, chosen]);
  const path = pathOf(language, chosen);
  return (
    <section data-language={language}>
      <h5>{words.sources[language]}</h5>
      <p class="summary">{note}</p>
      <p class="files" role="group" aria-label={words.sources[language]}>
        {files.map((file) => (
          <button type="button" key={file} aria-pressed={file === chosen} onClick={() => choose(file)}>
            {file}
          </button>
        ))}
      </p>
      {failure ? <p role="alert">{words.noSource}</p> : null}
      {/* Scrolls, so it takes the focus; its name says which file it is. */}
      <pre tabIndex={0} role="region" aria-label={path} data-path={path}>
        <code>{value === undefined ? words.reading : lines(value)}</code>
      </pre>
    </section>
  );
}

/** Comments stand back. */
function lines(source: string) {
  return source.split(/(?<=\n)/).map((line, i) =>
    /^\s*(\/\/|\/\*|\*)/.test(line) ? (
      <span class="comment" key={i}>
        {line}
      </span>
    ) : (
      line
    ),
  );
}
