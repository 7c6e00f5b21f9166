import { afterEach, expect, test } from 'vitest';
import { keepFocus } from '../../src/page/focus.ts';

keepFocus();
const place = document.createElement('div');
document.body.append(place);
afterEach(() => place.replaceChildren());

const fill = (html: string) => {
  place.innerHTML = html;
};
const button = (name: string) => place.querySelector<HTMLButtonElement>(`#${name}`)!;
const focused = () => document.activeElement?.id;
/** Until observers and the browser's own care of the focus have had their turn. */
const settled = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

test('a button that switches itself off hands the focus to its neighbour, and gets it back', async () => {
  fill('<p><button id="less"></button><button id="more"></button></p><button id="far"></button>');
  button('less').focus();
  button('less').disabled = true;
  await settled();
  expect(focused()).toBe('more');
  button('less').disabled = false;
  await settled();
  expect(focused()).toBe('less');
});

test('it does not come back to who has gone on meanwhile', async () => {
  fill('<p><button id="less"></button><button id="more"></button></p>');
  button('less').focus();
  button('less').disabled = true;
  await settled();
  button('more').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  button('less').disabled = false;
  await settled();
  expect(focused()).toBe('more');
});

test('what is taken away leaves it to what takes its place, else to what is before, else to what is around', async () => {
  fill(
    '<ul><li><button id="a"></button><li><button id="b"></button><li><button id="c"></button></ul><button id="far"></button>',
  );
  button('b').focus();
  button('b').parentElement!.remove();
  await settled();
  expect(focused()).toBe('c');
  button('c').parentElement!.remove();
  await settled();
  expect(focused()).toBe('a');
  button('a').closest('ul')!.remove();
  await settled();
  expect(focused()).toBe('far');
});

test('who left it by a click beside everything is not called back, and what is moved by code keeps its place', async () => {
  fill('<p><button id="a"></button><button id="b"></button></p>');
  button('a').focus();
  button('a').blur();
  await settled();
  button('a').remove();
  await settled();
  expect(document.activeElement).toBe(document.body);
  fill('<p><button id="a"></button><button id="b"></button></p><button id="far"></button>');
  button('a').focus();
  button('a').remove();
  button('far').focus(); // as a list does that names where it goes on
  await settled();
  expect(focused()).toBe('far');
});

test('what cannot have it is passed over', async () => {
  fill(
    '<div><button id="a"></button><button id="off" disabled></button><button id="no" tabindex="-1"></button><span hidden><button id="unseen"></button></span></div><button id="far"></button>',
  );
  button('a').focus();
  button('a').remove();
  await settled();
  expect(focused()).toBe('far');
});
