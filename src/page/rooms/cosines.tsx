import { fixed } from '../format.ts';
import { words } from './words/encoder.ts';

/** The cosine of the angle between two vectors. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [product, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    ofA += a[i]! * a[i]!;
    ofB += b[i]! * b[i]!;
  }
  return ofA > 0 && ofB > 0 ? product / Math.sqrt(ofA * ofB) : 0;
}

/** How alike each sentence is to each other. */
export function CosineTable({ texts, vectors }: { texts: readonly string[]; vectors: readonly Float32Array[] }) {
  return (
    <div class="table-room" tabIndex={0} role="region" aria-label={words.table}>
      <table class="cosines">
        <thead>
          <tr>
            <td />
            {texts.map((text, i) => (
              <th key={i} scope="col" title={text}>
                {i + 1}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {texts.map((text, i) => (
            <tr key={i}>
              <th scope="row">
                <span>
                  {i + 1} <bdi>{text}</bdi>
                </span>
              </th>
              {texts.map((_, j) => {
                const value = cosine(vectors[i]!, vectors[j]!);
                return (
                  <td key={j} data-cosine={value} style={{ '--share': Math.max(0, value) }}>
                    {fixed(value, 2)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
