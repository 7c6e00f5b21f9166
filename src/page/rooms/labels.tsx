import './encoder.css';
import { useState } from 'preact/hooks';
import type { WorkerEncoder } from '../../embed/client.ts';
import { useLater } from '../inside/later.ts';
import { openRoomText, writeInRoom } from '../models.ts';
import { attentionsOf } from './anatomy.ts';
import { Blocks } from './blocks.tsx';
import { Failed } from './failed.tsx';
import { useSettled } from './later-text.ts';
import { SelfAttention } from './self-attention.tsx';
import { Shares } from './shares.tsx';
import { TextField } from './text-field.tsx';
import { words as common } from './words/anatomy.ts';
import { words } from './words/encoder.ts';
import { writtenToken } from './words-of.ts';

/** The room of an encoder whose head sorts texts, marks words or finds answers. */
export function LabelsRoom({ model }: { model: WorkerEncoder }) {
  const head = model.config.head as 'classes' | 'token-classes' | 'answers';
  const [text, setText] = useState(openRoomText() ?? words.labelsOpening);
  const [question, setQuestion] = useState(words.questionOpening);
  const asked = useSettled({ text, question }, 300);
  const isThere = asked.text.trim() !== '' && (head !== 'answers' || asked.question.trim() !== '');
  const later = useLater(isThere && ((signal) => answerOf(model, head, asked, signal)), [model, asked]);
  const { value, failure, stale } = later;
  const change = (next: string) => {
    writeInRoom(next);
    setText(next);
  };
  return (
    <>
      <div class="put-in">
        <header>
          <h2>{words.labelsTitle[head]}</h2>
          <p class="summary">{words.labelsLead}</p>
        </header>
        <div class="sentence-fields">
          <TextField id="labels-text" label={words.text} rows={3} value={text} onText={change} />
          {head === 'answers' && (
            <TextField id="question" label={words.question} value={question} onText={setQuestion} />
          )}
        </div>
        <Failed failure={failure} />
        {!isThere && <p class="summary">{words.labelsEmpty[head]}</p>}
        {isThere && !value && failure === undefined && <p class="summary">{common.reading}</p>}
        {value && (
          <section class="fits" data-stale={stale}>
            {value.length > 0 ? (
              <Shares label={head === 'classes' ? words.classes : words.entities} shares={value} />
            ) : (
              <p class="summary">{words.none}</p>
            )}
          </section>
        )}
      </div>
      {isThere && <Opened model={model} head={head} asked={asked} isTold={failure !== undefined} />}
    </>
  );
}

async function answerOf(
  model: WorkerEncoder,
  head: 'classes' | 'token-classes' | 'answers',
  { text, question }: { text: string; question: string },
  signal: AbortSignal,
) {
  switch (head) {
    case 'classes': {
      const [found] = await model.classify([text], { topK: 10, signal });
      return found!.map(({ label, score }) => ({ label, share: score }));
    }
    case 'token-classes': {
      const found = await model.tag(text, { aggregate: 'simple', signal });
      return found.map(({ label, word, score, start }) => ({
        key: start ?? 0,
        label: `${word}: ${label}`,
        share: score,
      }));
    }
    case 'answers': {
      const found = await model.answer(question, text, { topK: 5, signal });
      return found.map(({ answer, score }, i) => ({ key: i, label: answer, share: score }));
    }
    default:
      return head satisfies never;
  }
}

/** What is inside is of what the head was given: a question stands before its text. */
function Opened({
  model,
  head,
  asked,
  isTold,
}: {
  model: WorkerEncoder;
  head: string;
  asked: { text: string; question: string };
  /** Why it could not be run stands above. */
  isTold: boolean;
}) {
  const tensors = model.tensors();
  const { text, question } = asked;
  const input = head === 'answers' ? { text: question, pair: text } : text;
  const [row, setRow] = useState(0);
  const { value, failure } = useLater(
    async (signal) => {
      const trace = await model.trace(input, { capture: attentionsOf(tensors).map(({ name }) => name), signal });
      const texts = await Promise.all(trace.tokens.map((id) => model.tokenizer.spelling(id)));
      return { input, trace, texts: texts.map(writtenToken) };
    },
    [model, asked],
  );
  const { input: read, trace, texts = [] } = value ?? {};
  return (
    <div class="opened" data-stale={failure !== undefined}>
      {!isTold && <Failed failure={failure} />}
      {trace && (
        <SelfAttention
          tensors={tensors}
          read={{ source: texts, target: texts, trace }}
          row={Math.min(row, texts.length - 1)}
          onRow={setRow}
        />
      )}
      {read && (
        <Blocks
          tensors={tensors}
          trace={(capture, signal) => model.trace(read, { capture, signal })}
          of={value}
          labels={() => texts}
        />
      )}
    </div>
  );
}
