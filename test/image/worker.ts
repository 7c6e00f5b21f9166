/** Preprocesses each image that it is sent, without a page. */
import { preprocess } from '../../src/image/preprocess.ts';
import { asBytes } from './images.ts';

self.onmessage = async ({ data }: MessageEvent) => {
  const { pixels, shape } = await preprocess(data, asBytes);
  postMessage({ pixels, shape });
};
