export const isolation: Record<string, string>;
export function serve(
  folder: string,
  port?: number,
  more?: { headers?: Record<string, string | undefined>; folders?: Record<string, string> },
): Promise<{ url: string; close: () => Promise<void> }>;
