import '@fontsource-variable/hanken-grotesk';
import '@fontsource-variable/newsreader';
import DefaultTheme from 'vitepress/theme-without-fonts';
import Playground from './playground.vue';
import './theme.css';

export default {
  extends: DefaultTheme,
  enhanceApp({ app }: { app: import('vue').App }) {
    app.component('Playground', Playground);
  },
};
