import { Writer } from './writer.jsx';

export default function Page() {
  return (
    <main>
      <h1>A story</h1>
      <Writer />
    </main>
  );
}
