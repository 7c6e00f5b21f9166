export const chromiumFlags: string[];
export function findBrowser(): Promise<string | undefined>;
export function softwareVulkan(): Promise<Record<string, string>>;
