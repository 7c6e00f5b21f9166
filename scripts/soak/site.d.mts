import type { Page } from 'playwright';

export const crashFlags: string[];
export function openSoak(options?: { flags?: string[]; browser?: string | undefined }): Promise<{
  page: Page;
  crashGpu(): Promise<void>;
  close(): Promise<void>;
}>;
