import { badCheckpoint as bad, unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import { type Files, isAdapterFile, isObject, parseJson, readText } from './files.ts';

/** What a decoder with another head is for, by the end of its class's name in transformers, and the head's weight. */
const heads = [
  { end: 'SequenceClassification', does: 'classifies texts', weight: 'score.weight', task: 'text-classification' },
  { end: 'TokenClassification', does: 'labels words', weight: 'classifier.weight', task: 'token-classification' },
  { end: 'QuestionAnswering', does: 'finds answers in texts', weight: 'qa_outputs.weight', task: 'question-answering' },
];

/**
 * Refuses a decoder whose head does something else than write, if none of its `classes` writes: its body alone would write nonsense.
 * @throws VitrineError `unsupported-checkpoint` if `architectures` in config.json says so, or where that says nothing, the
 *   tensors do
 */
export function refuseOtherHeads(
  classes: readonly string[],
  tensors: readonly { name: string; file: string; shape: readonly number[] }[],
): void {
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

/** The refusal of an adapter's folder; undefined if there is no adapter in it, and it is not `known` that there is. */
export async function adapterIn(
  files: Files,
  { known, signal }: { known?: boolean; signal?: AbortSignal | undefined },
): Promise<VitrineError | undefined> {
  const names = await files.list?.(signal);
  const file = 'adapter_config.json';
  const text = names && !names.includes(file) ? undefined : await readText(files, file, signal);
  return !known && text === undefined && !names?.some(isAdapterFile) ? undefined : adapter(files.name, text);
}

/** @param config text of its adapter_config.json, if there is one */
function adapter(name: string, config?: string): VitrineError {
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
    `Load it with its base: load('${base || 'BASE'}', { adapter }). Merge it first where that refuses it, in Python: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained('${base || 'BASE'}'), ` +
      "ADAPTER).merge_and_unload().save_pretrained('FOLDER').",
  );
}

/** What a file with an impossible header length is: often it holds something else under its name. */
export function notSafetensors(start: Uint8Array, file: string, length: number, limit: number): VitrineError {
  const text = String.fromCharCode(...start);
  if (text.startsWith('PK\x03\x04')) return pickled(file);
  if (text.startsWith('GGUF')) return bad(`${file} is a GGUF file.`, 'Give it its name that ends in .gguf.');
  if (text.startsWith('<')) return bad(`${file} is a web page, not the weights.`, 'Check the address it came from.');
  if (text === 'version ') return bad(`${file} is a Git LFS pointer, not the weights.`, 'Run `git lfs pull`.');
  return bad(`The header of ${file} claims ${length} bytes; expected at most ${limit}.`, 'Fetch it again.');
}

/** The refusal of PyTorch's own format, which is a program that makes tensors rather than the tensors. */
export function pickled(file: string, hint = toSafetensors): VitrineError {
  return unsupportedCheckpoint(`${file} is a PyTorch pickle; expected safetensors.`, hint);
}

const toSafetensors =
  'Convert it in Python: GPT2LMHeadModel.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True), ' +
  'or use https://huggingface.co/spaces/safetensors/convert.';
