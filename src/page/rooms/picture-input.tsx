import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ImageSource } from '../../index.ts';
import { words } from './words/vision.ts';

/** A picture of the visitor's: chosen or pasted. */
export function PictureInput({ onImage }: { onImage: (image: ImageSource) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [shown, setShown] = useState<string | undefined>(undefined);
  const take = (file: File | undefined) => {
    if (!file) return;
    setShown(URL.createObjectURL(file));
    onImage(file);
  };
  useLayoutEffect(() => {
    const onPaste = ({ clipboardData }: ClipboardEvent) =>
      take([...(clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/')));
    addEventListener('paste', onPaste);
    return () => removeEventListener('paste', onPaste);
  }, []);
  useEffect(() => () => void (shown && URL.revokeObjectURL(shown)), [shown]);
  return (
    <div class="picture-input">
      {shown && <img src={shown} alt="" />}
      <input
        ref={input}
        class="unseen"
        tabIndex={-1}
        type="file"
        accept="image/*"
        aria-label={words.file}
        onChange={(event) => take(event.currentTarget.files?.[0])}
      />
      <button type="button" class="plain" onClick={() => input.current?.click()}>
        {words.file}
      </button>
      <p class="summary">{words.fileAbout}</p>
    </div>
  );
}
