import { expect, test } from 'vitest';
import { type ChatMessage, renderChat } from '../../src/text/chat.ts';
import { readFixture } from '../fixtures.ts';

/** A template and what Hugging Face transformers makes of it; `error`: it refuses. */
interface Case {
  name: string;
  template: string;
  messages: ChatMessage[];
  add_generation_prompt: boolean;
  tools?: object[];
  rendered?: string;
  error?: string;
}

const { special, cases } = JSON.parse(new TextDecoder().decode(await readFixture('chat-templates.json'))) as {
  special: Record<string, string>;
  cases: Case[];
};

test.each(cases)('$name renders as in transformers', async ({ template, messages, tools, rendered, ...given }) => {
  const text = renderChat(template, messages, { special, tools, addGenerationPrompt: given.add_generation_prompt });
  if (given.error === undefined) expect(await text).toBe(rendered);
  else await expect(text).rejects.toMatchObject({ code: 'bad-option' });
});

const chat: ChatMessage[] = [
  { role: 'user', content: 'one' },
  { role: 'assistant', content: 'two' },
  { role: 'user', content: null },
];

/** Each as Jinja2 3.1.6 renders it. */
test.each([
  [
    '{% for m in messages %}{{ m.role }}{% if loop.first %}{% continue %}{% endif %}!{% else %}none{% endfor %}',
    'userassistant!user!',
  ],
  ['{% for m in messages %}a{% if true %}b{% break %}{% endif %}{% else %}none{% endfor %}', 'abnone'],
  ['{% for m in messages %}a{% continue %}{% else %}none{% endfor %}', 'aaanone'],
  [
    "{{ [1, 3, 2] | max }}{{ 'a{}c'.format('b') }}{{ '%s-%d' % ('a', 3) }}{{ dict(a=1).a }}{{ '<' | e }}",
    '3abca-31&lt;',
  ],
  ['a {% raw %}{{ x }}{% endraw %} b{{ nothing == none }}', 'a {{ x }} bFalse'],
  ['{% for m in messages %}{% for n in messages %}x{% break %}y{% endfor %}{% continue %}z{% endfor %}', 'xxx'],
  ["{{ 'xxayxx'.strip('x') }}{{ 'xxa'.lstrip('x') }}{{ ' a '.rstrip() }}|", 'aya a|'],
  ["{{ 'aBC dE'.capitalize() }} {{ 'it is'.title() }}", 'Abc de It Is'],
  ["{{ true is number }}{{ {'a': 1} is iterable }}{{ 1 is boolean }}{{ true is integer }}", 'TrueTrueFalseFalse'],
  [
    "{{ none }}{{ true }}{{ [1, 'a', none] }}{{ {'k': [true]} }}{{ (1, 2) }}{{ 1.0 }}",
    "NoneTrue[1, 'a', None]{'k': [True]}(1, 2)1.0",
  ],
  ["{{ 'a' ~ 1 ~ none ~ true }}{{ -7 % 3 }}{{ -7 // 2 }}{{ 7 / 2 }}{{ 'ab' * 2 }}", 'a1NoneTrue2-43.5abab'],
  [
    "{{ 1 == true }}{{ '1' == 1 }}{{ [1, 2] == [1, 2] }}{{ {'a': 1} == {'a': 1} }}{{ 'a' < 'b' }}",
    'TrueFalseTrueTrueTrue',
  ],
  ["{{ [1, [2]] is defined }}{{ [2] in [1, [2]] }}{{ 'k' in {'k': 1} }}{{ 'x' in nothing }}", 'TrueTrueTrueFalse'],
  [
    "{{ 'a b  c'.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}",
    "['a', 'b', 'c']['a', 'b,c']['a,b', 'c']",
  ],
  [
    "{{ messages | map(attribute='role') | unique | list }}{{ ['a'] | map('upper') | first }}",
    "['user', 'assistant']A",
  ],
  ["{{ messages | selectattr('role', 'ne', 'user') | map(attribute='content') | join }}{{ nothing | length }}", 'two0'],
  [
    "{{ '日本🙂' | length }}{{ 'abc' | list }}{{ 'abc' | last }}{{ 2.5 | round }}{{ 3.7 | int }}{{ ' x ' | trim }}",
    "3['a', 'b', 'c']c2.03x",
  ],
  ["{% set d = {'items': 1} %}{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{{ d['items'] }}", 'items11'],
  ['{% for i in range(3) %}{{ loop.cycle("a", "b") }}{% endfor %}{% for c in "hi" %}{{ c }}.{% endfor %}', 'abah.i.'],
  ['{% for x in nothing %}x{% else %}none{% endfor %}{{ tools is none }}{{ documents is none }}', 'noneTrueTrue'],
  ['{{ messages[0].reasoning_content is defined }}', 'False'],
])('%s', async (template, rendered) => {
  expect(await renderChat(template, chat)).toBe(rendered);
});

test.each([
  ["{{ raise_exception('Roles must alternate') }}", 'Roles must alternate'],
  ["{{ 'a' + 1 }}", 'unsupported operands'],
  ['{{ nothing.more }}', 'undefined'],
  ['{% for x in 5 %}{% endfor %}', 'not iterable'],
  ['{{ range(1000000) }}', '100000'],
  ['{{ 1 / 0 }}', 'division by zero'],
  ['{% if %}', ''],
  ['{{ nothing | tojson }}', 'undefined'],
  ['{{ 1 | nosuchfilter }}', 'nosuchfilter'],
])('%s is refused in the words of the template', async (template, words) => {
  await expect(renderChat(template, chat)).rejects.toMatchObject({
    code: 'bad-option',
    message: expect.stringContaining(words),
  });
});

test('thoughts are read under either name', async () => {
  const messages = [{ role: 'assistant', content: 'a', thinking: 'hm' }];
  expect(await renderChat('{{ messages[0].reasoning_content }}{{ messages[0].thinking }}', messages)).toBe('hmhm');
});

test('an unknown option, a template that is none and messages that are none are refused', async () => {
  const call = renderChat as (...args: unknown[]) => Promise<string>;
  await expect(call('', chat, { addGenerationPromt: true })).rejects.toMatchObject({ code: 'bad-option' });
  await expect(call(undefined, chat)).rejects.toMatchObject({ code: 'bad-option' });
  await expect(call('', 'hello')).rejects.toMatchObject({ code: 'bad-option' });
  for (const options of [null, [], 5]) {
    await expect(call('', chat, options)).rejects.toMatchObject({ code: 'bad-option' });
  }
});

/** As apply_chat_template of transformers 5.24 has it. */
test('a field of a message that is null is not there', async () => {
  const called: ChatMessage[] = [{ role: 'assistant', content: null, tool_calls: [{ arguments: { x: null } }] }];
  const template = '{{ messages[0].content is defined }}{{ messages[0].content }}{{ messages[0].tool_calls | tojson }}';
  expect(await renderChat(template, called)).toBe('False[{"arguments": {"x": null}}]');
});

test('a chat without messages is refused', async () => {
  const rendering = renderChat('{{ messages | length }}', []);
  await expect(rendering).rejects.toMatchObject({
    code: 'bad-option',
    message: expect.stringContaining('no messages'),
  });
});
