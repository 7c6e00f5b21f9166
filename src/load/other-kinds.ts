import { unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import { type Files, isObject, parseJson, readText } from './files.ts';
import type { StoredTensor } from './safetensors.ts';

/** What a decoder with another head is for, by the end of its class's name in transformers, and the head's weight. */
const heads = [
  { end: 'SequenceClassification', does: 'classifies texts', weight: 'score.weight', task: 'text-classification' },
  { end: 'TokenClassification', does: 'labels words', weight: 'classifier.weight', task: 'token-classification' },
  { end: 'QuestionAnswering', does: 'finds answers in texts', weight: 'qa_outputs.weight', task: 'question-answering' },
];

/** Classes that write texts; GPT2DoubleHeadsModel has a head of another task beside the one that does. */
const writes = /LMHead|DoubleHeads|CausalLM/;

/**
 * Refuses a decoder whose head does something else than write: its body alone would write nonsense.
 * @throws VitrineError `unsupported-checkpoint` if `architectures` in config.json says so, or where that says nothing, the
 *   tensors do
 */
export function refuseOtherHeads(config: unknown, tensors: readonly StoredTensor[]): void {
  const listed: unknown = isObject(config) ? config.architectures : undefined;
  const classes = Array.isArray(listed) ? listed.filter((name) => typeof name === 'string') : [];
  if (classes.some((name) => writes.test(name))) return;
  const other = classes.find((name) => /For[A-Z]\w*$/.test(name));
  if (other !== undefined) {
    const found = `config.json says that the model is a ${other}`;
    const body = other.replace(/For[A-Z]\w*$/, '');
    const writer = body === 'GPT2' ? 'GPT2LMHeadModel' : `${body}ForCausalLM`;
    throw otherHead(found, (head) => other.endsWith(head.end), writer);
  }
  if (tensors.some(({ name }) => name === 'lm_head.weight')) return;
  for (const { name, file, shape } of tensors) {
    const head = heads.find(({ weight }) => weight === name);
    if (!head || shape.length !== 2) continue;
    throw otherHead(`${file} holds ${name}, the head of a GPT2For${head.end}`, (one) => one === head);
  }
}

function otherHead(found: string, is: (head: (typeof heads)[number]) => boolean, writer = 'GPT2LMHeadModel') {
  const head = heads.find(is);
  const does = head ? `, which ${head.does}` : '';
  const elsewhere = head ? `; in Python, pipeline('${head.task}') of transformers does` : '';
  const hint = `Nothing in Vitrine runs this head${elsewhere}.`;
  return unsupportedCheckpoint(`${found}${does}; expected one that writes, as ${writer}.`, hint);
}

/** Weight files that peft writes. */
export const isAdapterFile = (file: string): boolean => /^adapter_model\.(safetensors|bin)$/i.test(file);

/** Whether tensors are changes to a model, as peft names them. */
export const areChanges = (tensors: readonly StoredTensor[]): boolean =>
  tensors.length > 0 && tensors.every(({ name }) => /^base_model\.|\.lora_[AB]\b/.test(name));

/** The refusal of an adapter's folder; undefined if there is no adapter in it. */
export async function adapterIn(files: Files, signal?: AbortSignal): Promise<VitrineError | undefined> {
  const names = await files.list?.(signal);
  const file = 'adapter_config.json';
  const text = names && !names.includes(file) ? undefined : await readText(files, file, signal);
  return text === undefined && !names?.some(isAdapterFile) ? undefined : adapter(files.name, text);
}

/** @param config text of its adapter_config.json, if there is one */
export function adapter(name: string, config?: string): VitrineError {
  let base = '';
  let kind = 'a LoRA adapter';
  const json = config === undefined ? undefined : parseJson(config, 'adapter_config.json');
  if (isObject(json)) {
    const { base_model_name_or_path: of, peft_type: type } = json;
    if (typeof of === 'string' && of) base = of;
    if (typeof type === 'string' && !type.endsWith('LORA')) kind = `an adapter of the kind ${type}`;
  }
  return unsupportedCheckpoint(
    `${name} is ${kind}${base && ` for ${base}`}: changes to a model, not a whole one.`,
    `Merge it first, in Python: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained('${base || 'BASE'}'), ` +
      "ADAPTER).merge_and_unload().save_pretrained('FOLDER').",
  );
}
