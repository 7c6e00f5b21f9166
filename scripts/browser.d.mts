export const chromiumFlags: string[];
export function findBrowser(): Promise<string | undefined>;
export function findHeadless(): Promise<string | undefined>;
export function findFirefox(): string | undefined;
export function findWebKit(): { driver: string; screen: string } | undefined;
export function softwareVulkan(): Promise<Record<string, string>>;
