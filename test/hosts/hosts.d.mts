import type { Browser } from 'playwright';

export interface Bench {
  name: string;
  /** Of the package. */
  tarball: string;
  /** Where it is unpacked. */
  dist: string;
  browser: Browser;
}

export interface Row {
  visit: string;
  seconds: number;
  summary: string;
  problems: string[];
}

export interface Project {
  files: Record<string, string>;
  visits: object[];
}

export const hosts: Record<string, (bench: Bench) => Promise<Row[]>>;
export const bundlers: Record<string, Project>;
export function visitProject(
  folder: string,
  project: Project,
  bench: Bench,
  tool?: (name: string) => string,
): Promise<Row[]>;
export function makeFolder(): Promise<{ folder: string; remove(): Promise<void> }>;
export function pack(folder: string): Promise<string>;
export function installAlone(folder: string, tarball: string): Promise<string[]>;
export function write(folder: string, files: Record<string, string>): Promise<void>;
export function openBrowser(): Promise<Browser>;
