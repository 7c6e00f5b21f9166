import type { Page } from 'playwright';

export const crashFlags: string[];
export function openSoak(options?: { flags?: string[] }): Promise<{
  page: Page;
  crashGpu(): Promise<void>;
  close(): Promise<void>;
}>;
