import { describe, expect, test } from 'vitest';
import { fromHash, type Link, toHash } from '../../src/page/permalink.ts';
import { defaults, fitted, fittedSeed, shown } from '../../src/page/settings.ts';
import { appended, branchedAt, opened } from '../../src/page/state/document.ts';
import { branchesIn, spelledBranches } from '../../src/page/state/shared.ts';

describe('a permalink', () => {
  test('gives back what was put in', () => {
    const link: Link = {
      prompt: 'Café & tea: 100%?\n“#1” = 雪 🦊',
      model: 'openai-community/gpt2',
      device: 'cpu',
      settings: {
        temperature: 0.73,
        topK: 5,
        topP: 0.9,
        minP: 0.05,
        repetitionPenalty: 1.3,
        maxNewTokens: 12,
        seed: 7,
      },
    };
    expect(fromHash(`#${toHash(link)}`)).toEqual(link);
  });

  test('gives back an experiment, and the ways that the text went', () => {
    const link: Link = {
      prompt: 'A',
      settings: { seed: 1 },
      inside: { stations: ['block', 'touch'], layer: 2, head: 1, position: 3 },
      experiment: {
        cell: 'tensor blocks.2.attn.hook_q 3,1,5',
        lesson: 'queries 2',
        touches: ['head 0 1 0', 'attention 0 1 1 AACAPwAAAAA= AAAAPwAAAD8='],
        neuron: 0,
        word: 318,
        rather: 7,
      },
      branches: '[0,[-1,0,[["A & é"]]],[0,1,[["A"],[" b",5,-0.25]]]]',
    };
    expect(fromHash(`#${toHash(link)}`)).toEqual(link);
    expect(fromHash('inside=block').experiment).toBeUndefined();
    expect(fromHash('inside=neuron&neuron=17').experiment).toMatchObject({ neuron: 17, touches: [] });
    for (const wrong of ['-1', '1.5', '', 'x', '1e3', '99999999999'])
      expect(fromHash(`inside=neuron&neuron=${wrong}&word=${wrong}&rather=${wrong}`).experiment, wrong).toBeUndefined();
    expect(fromHash('cell=tensor+a+1').experiment).toBeUndefined(); // the model is closed
  });

  test('spells a tree of texts and reads no other', () => {
    const tree = branchedAt(appended(opened('One é“'), [{ id: 7, text: ' day', logprob: -0.5 }], 'completed'), 6, {
      id: 9,
      text: ' night',
      logprob: -2,
    });
    expect(branchesIn(spelledBranches(tree)!)).toEqual({ ...tree, run: undefined, change: 'other' });
    expect(spelledBranches(opened('One'))).toBeUndefined();
    for (const wrong of [
      '',
      '[]',
      '[0]',
      '{"a":1}',
      'null',
      '[2,[-1,0,[["a"]]]]',
      '[0,[0,0,[["a"]]]]',
      '[1,[-1,0,[["a"]]],[1,0,[["b"]]]]',
      '[0,[-1,-1,[["a"]]]]',
      '[0,[-1,0,[[1]]]]',
      '[0,[-1,0,[["a",1]]]]',
      '[0,[-1,0,[["a","b",0]]]]',
    ])
      expect(branchesIn(wrong), wrong).toBeUndefined();
  });

  test('leaves out what is at its default', () => {
    expect(toHash({ prompt: 'Hi', device: 'auto', settings: { ...defaults, seed: 4 } })).toBe('prompt=Hi&seed=4');
  });

  test('keeps an empty prompt apart from none', () => {
    expect(fromHash('prompt=').prompt).toBe('');
    expect(fromHash('seed=1').prompt).toBeUndefined();
  });

  test('is read with suspicion: numbers are fitted, nonsense is left out', () => {
    const { settings, device, model } = fromHash(
      '#temperature=99&top-k=-3&top-p=abc&min-p=NaN&max-new-tokens=2.7&seed=-1&device=toaster&model=&x=y',
    );
    expect(settings).toEqual({ temperature: 2, topK: 0, maxNewTokens: 3 });
    expect(device).toBeUndefined();
    expect(model).toBeUndefined();
    expect(fromHash('#%E0%A4%A&=&&').settings).toEqual({});
  });
});

describe('settings', () => {
  test('are fitted to their range and step', () => {
    expect(fitted('temperature', 0.123456)).toBe(0.12);
    expect(fitted('topK', 500)).toBe(500); // beyond the slider, but it may be typed
    expect(fitted('maxNewTokens', 0)).toBe(1);
    expect(fitted('topP', Number.NaN)).toBeUndefined();
  });

  test('show as many digits as their step has', () => {
    expect(shown('temperature', 0.8)).toBe('0.80');
    expect(shown('topK', 40)).toBe('40');
    expect(shown('minP', 0.05)).toBe('0.050');
  });

  test('take whole seeds of 32 bits', () => {
    expect(fittedSeed(0)).toBe(0);
    expect(fittedSeed(2 ** 32 - 1)).toBe(2 ** 32 - 1);
    for (const bad of [-1, 2 ** 32, 1.5, Number.NaN]) expect(fittedSeed(bad)).toBeUndefined();
  });
});
