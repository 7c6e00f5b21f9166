import { afterEach, expect, test } from 'vitest';
import { svgOf } from '../../src/page/inside/take/svg.ts';

const place = document.createElement('div');
place.style.cssText = 'position: absolute; left: 30px; top: 20px; width: 200px; height: 100px; font: 16px sans-serif';
document.body.append(place);
afterEach(() => place.replaceChildren());

/** The picture as others read it. */
function parsed(): Document {
  const text = svgOf(place, 'a <b> & “c”');
  const found = new DOMParser().parseFromString(text, 'image/svg+xml');
  expect(found.querySelector('parsererror')).toBeNull();
  return found;
}

test('letters stand where they stand on the page, whatever they are; what answers the pointer is left out', () => {
  place.innerHTML =
    '<p style="margin:0">1 &lt; 2 &amp; “<bdi>שלום</bdi>” \u0007</p><p class="readout">gone</p><p style="display:none">gone</p><p class="take-picture">gone</p>';
  const svg = parsed();
  expect(svg.querySelector('title')!.textContent).toBe('a <b> & “c”');
  const texts = [...svg.querySelectorAll('text')].map((one) => one.textContent);
  expect(texts.join('')).toContain('1 < 2 & “שלום”');
  expect(texts.join('')).not.toContain('gone');
  const hebrew = [...svg.querySelectorAll('text')].find((one) => one.textContent === 'שלום')!;
  const box = place.querySelector('bdi')!.getBoundingClientRect();
  expect(hebrew.getAttribute('direction')).toBe('rtl');
  expect(Number(hebrew.getAttribute('x'))).toBeCloseTo(box.right - 30, 0);
  expect(Number(hebrew.getAttribute('y'))).toBeGreaterThan(box.top - 20);
  expect(Number(hebrew.getAttribute('y'))).toBeLessThan(box.bottom - 20);
});

test('cells, boxes, lines and scales have the colours that they have on the page', async () => {
  place.innerHTML =
    '<canvas width="2" height="2" style="display:block;width:40px;height:40px"></canvas><div style="height:20px;width:50px;background:color-mix(in srgb, red, blue)"></div><div style="height:5px;background-image:linear-gradient(to right, rgb(255, 0, 0), rgb(0, 0, 255))"></div><svg width="10" height="10" viewBox="0 0 10 10"><path class="look" d="M0 5h10" style="stroke: rgb(0, 128, 0); stroke-width: 3px"/></svg>';
  const canvas = place.querySelector('canvas')!;
  Object.assign(canvas, { drawn: { rows: 2 } });
  const context = canvas.getContext('2d')!;
  for (const [i, colour] of ['#ff0000', '#00ff00', '#00ff00', '#0000ff'].entries()) {
    context.fillStyle = colour;
    context.fillRect(i % 2, Math.floor(i / 2), 1, 1);
  }
  const svg = parsed();
  expect([...svg.querySelectorAll('g path')].map((one) => one.getAttribute('fill'))).toEqual([
    '#ff0000',
    '#00ff00',
    '#0000ff',
  ]);
  expect(svg.querySelector('svg svg path')!.getAttribute('stroke')).toBe('rgb(0,128,0)');
  expect(svg.querySelectorAll('stop')).toHaveLength(2);
  // Drawn by itself it looks the same.
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(svgOf(place, ''))}`;
  await image.decode();
  const paper = new OffscreenCanvas(200, 100).getContext('2d')!;
  paper.drawImage(image, 0, 0);
  const at = (x: number, y: number) => [...paper.getImageData(x, y, 1, 1).data].slice(0, 3);
  expect([at(10, 10), at(30, 10), at(10, 30), at(30, 30)]).toEqual([
    [255, 0, 0],
    [0, 255, 0],
    [0, 255, 0],
    [0, 0, 255],
  ]);
  expect(at(25, 50)).toEqual([128, 0, 128]);
});
