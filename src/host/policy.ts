/**
 * Whether a policy in the page's own markup forbids a worker from this address, which browsers would also tell on the console.
 * What a server's header forbids cannot be known before.
 */
export function markupForbids(url: string): boolean {
  const metas = globalThis.document?.querySelectorAll('meta[http-equiv="Content-Security-Policy" i]') ?? [];
  return Array.from(metas).some((meta) => forbids((meta as HTMLMetaElement).content, url));
}

/** CSP3, worker-src and what stands in for it. Sources that are not understood count as ones that allow. */
function forbids(policy: string, url: string): boolean {
  const directives = new Map(
    policy.split(';').map((directive) => {
      const [name = '', ...sources] = directive.trim().split(/\s+/);
      return [name.toLowerCase(), sources.map((source) => source.toLowerCase())];
    }),
  );
  const names = ['worker-src', 'child-src', 'script-src', 'default-src'];
  const sources = names.map((name) => directives.get(name)).find((found) => found !== undefined);
  if (!sources) return false;
  if (sources.length === 0 || (sources.length === 1 && sources[0] === "'none'")) return true;
  if (url.startsWith('blob:')) return !sources.includes('blob:');
  return sources.every((source) => source === 'blob:');
}
