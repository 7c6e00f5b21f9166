import type { Source } from '../../load/source.ts';
import type { Device } from '../open-device.ts';
import type { Finding } from './finding.ts';

export interface CheckDeviceOptions {
  /** A device of the caller's, which stays open; by default one of the fastest adapter. */
  device?: Device;
  /** A model whose logits on the GPU are compared with the CPU's at the end; `load` takes the same. */
  model?: Source;
  onProgress?: (progress: { done: number; total: number; rung: Rung }) => void;
  /** Ends the check, which rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** One kernel, in one variant and weight format, against the CPU. */
export interface Rung extends Finding {
  /** The variant of the kernels, and how keys and values were kept where they were not f32. */
  variant: string;
  /** Why there are no results. */
  failure?: string;
}

/** What `checkDevice` found: plain data, for JSON. */
export interface DeviceReport {
  passed: boolean;
  adapter: string;
  /** A software renderer. */
  software: boolean;
  /** The browser or engine, as it calls itself. */
  browser: string;
  features: string[];
  limits: { maxBufferSize: number; maxStorageBufferBindingSize: number };
  rungs: Rung[];
  /** Of the model's logits, and of the tokens that each of the two would write next. */
  agreement?: Agreement;
  ms: number;
}

export interface Agreement extends Pick<Finding, 'error' | 'tolerance' | 'passed'> {
  /** Positions compared, and those at which both devices have the same likeliest token. */
  positions: number;
  same: number;
}
