import type { DeviceInfo } from '../../index.ts';
import { hasNone } from '../failure.ts';
import { Notice } from './notice.tsx';
import { words } from './words.ts';

/** Why a model is not on a GPU, though nobody asked for that: there is none, one in software, one that computes something else, one that failed. */
export function whyNoGpu({ check, reason }: Pick<DeviceInfo, 'check' | 'reason'>): string {
  if (check?.passed === false) return words.wrongGpu;
  if (/is software/.test(reason)) return words.softwareGpu;
  return hasNone.test(reason) ? words.noGpu : words.failedGpu;
}

export function GpuNote({ device, onDismiss }: { device: DeviceInfo; onDismiss: () => void }) {
  return (
    <Notice text={whyNoGpu(device)} onDismiss={onDismiss}>
      <a href="check.html">{words.checkDevice}</a>
    </Notice>
  );
}
