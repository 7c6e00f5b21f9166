import { useState } from 'preact/hooks';

/** Hands a file to the visitor. */
export function save(name: string, content: BlobPart, type: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // a browser that asks where to put it still reads it
}

/** What went wrong when something was saved, and what a button does that saves. */
export function useSaving() {
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const saving = (how: () => void | Promise<void>) => async () => {
    setFailure(undefined);
    try {
      await how();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };
  return { failure, saving };
}
