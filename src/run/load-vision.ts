import { type ImageSettings, parseImageSettings } from '../image/settings.ts';
import type { Checkpoint } from '../load/checkpoint.ts';
import { parseJson } from '../load/files.ts';
import type { Source } from '../load/source.ts';
import type { VisionConfig } from '../model/vit.ts';
import { badCheckpoint } from '../plan/error.ts';
import { refuse } from './check.ts';
import { encoderSize } from './encode.ts';
import { type LoadOptions, loadAs, openEngine } from './loading.ts';
import { Vision } from './vision.ts';

/** As loaders.ts has it, which fetches this. */
export function loadVision(source: Source, options: LoadOptions = {}): Promise<Vision> {
  return loadAs({ call: 'loadVision', kind: 'vision' }, source, options, loadVisionCheckpoint);
}

export async function loadVisionCheckpoint(checkpoint: Checkpoint<VisionConfig>, options: LoadOptions) {
  const { config } = checkpoint;
  if (options.contextLength !== undefined) {
    throw refuse('contextLength', options.contextLength, 'undefined: an image has as many patches as it has');
  }
  const readSettings = () => settingsOf(checkpoint, options.signal);
  const { engine, chosen, small } = await openEngine(checkpoint, options, readSettings, (plan) => {
    const width = config.channels * config.patchSize[0] * config.patchSize[1];
    const rows = [0, 1].map((at) => ({ token: 0, position: 0, slot: 0, at, first: 0, sees: 2 }));
    return {
      context: config.nCtx,
      sizeOn: (kind) => encoderSize(kind, plan),
      trials: [{ rows, logitRows: config.labels.length > 0 ? [0] : [], input: new Float32Array(2 * width) }],
    };
  });
  return new Vision(config, small, engine, chosen);
}

/** How images are prepared: as preprocessor_config.json says, which must fit the model; without one, as the model's class does. */
export async function settingsOf(checkpoint: VisionCheckpoint, signal?: AbortSignal): Promise<ImageSettings> {
  const file = 'preprocessor_config.json';
  const { config } = checkpoint;
  const json = await checkpoint.text(file, signal);
  const [height, width] = config.imageSize;
  const absent = { size: { height, width }, do_center_crop: false };
  const settings = parseImageSettings(json === undefined ? absent : parseJson(json, file), file, config);
  const { crop, resize } = settings;
  const given = crop ?? (resize && 'height' in resize.size ? resize.size : undefined);
  if (given && (given.height !== height || given.width !== width)) {
    const found = `${file} makes images of ${given.height} x ${given.width} pixels`;
    throw badCheckpoint(`${found}; expected ${height} x ${width}, as config.json says.`);
  }
  return settings;
}

type VisionCheckpoint = Pick<Checkpoint<VisionConfig>, 'config' | 'text'>;
