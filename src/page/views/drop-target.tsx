import { useLayoutEffect, useState } from 'preact/hooks';
import { show } from '../models.ts';
import { droppedFiles } from '../sources.ts';
import { strings } from '../strings.ts';

/** The whole page takes dropped checkpoints, and says so while files are held over it. */
export function DropTarget() {
  const [over, setOver] = useState(false);
  useLayoutEffect(() => {
    const hold = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return; // text may be dropped into the text
      event.preventDefault();
      setOver(event.type === 'dragover');
    };
    const leave = (event: DragEvent) => {
      if (!event.relatedTarget) setOver(false);
    };
    const drop = async (event: DragEvent) => {
      if (event.defaultPrevented) return setOver(false); // taken by what is open
      hold(event);
      const files = event.dataTransfer ? await droppedFiles(event.dataTransfer) : [];
      if (files.length) void show({ kind: 'files', files });
    };
    addEventListener('dragover', hold);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', hold);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);
  return over ? <p class="drop">{strings.dropHere}</p> : null;
}
