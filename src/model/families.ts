import { VitrineError } from '../plan/error.ts';
import { bert } from './bert.ts';
import type { BaseConfig, Family, Kind } from './family.ts';
import type { Fields } from './fields.ts';
import { gptNeo, opt } from './gpt-neo.ts';
import { gptNeox } from './gpt-neox.ts';
import { gpt2 } from './gpt2.ts';
import { llama } from './llama.ts';
import { marian } from './marian.ts';
import { t5 } from './t5.ts';
import { vit } from './vit.ts';

/** All families, by kind in the order in which a file that does not say its type is taken for one. */
const families = [gpt2, llama, gptNeox, gptNeo, opt, bert, marian, t5, vit] as unknown as readonly Family<BaseConfig>[];

/** What loads a kind, for whoever called another. */
const loaders: Record<Kind, string> = {
  decoder: 'load',
  encoder: 'loadEncoder',
  'encoder-decoder': 'loadEncoderDecoder',
  vision: 'loadVision',
};

/**
 * The family of a config.json: by its `model_type`, or where it has none, as GPT-2's early files, that of the kind asked for.
 * @throws VitrineError `unsupported-checkpoint` for a type that there is no family for, and for one of another kind than `kind`
 */
export function familyOf(fields: Fields, kind: Kind | undefined): Family {
  const type = fields.get('model_type');
  const family = families.find((one) =>
    type === undefined ? one.kind === (kind ?? 'decoder') : one.modelTypes.includes(type as string),
  );
  if (!family) {
    const known = families
      .filter((one) => kind === undefined || one.kind === kind)
      .flatMap(({ modelTypes }) => modelTypes)
      .map((name) => JSON.stringify(name));
    throw fields.unsupported('model_type', known.join(', '));
  }
  if (kind === undefined || family.kind === kind) return family;
  const found = `The model is a ${type}, which ${loaders[family.kind]} takes`;
  throw new VitrineError('unsupported-checkpoint', `${found}; ${loaders[kind]} is for models of another kind.`, {
    hint: `Call ${loaders[family.kind]} instead.`,
  });
}
