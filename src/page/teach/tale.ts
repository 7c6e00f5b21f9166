/** A text whose style is soon told: every sentence begins with "And", and all is good in the end. Written for this page. */
export const tale = `And the sun came up. And the birds sang in the trees. And the day was warm. And it was good.

And there was a cat. And the cat was black. And the cat sat on the wall. And it was good.

And Tom went to the park. And Lily went with him. And they played all day. And it was good.

And the rain came down. And the flowers drank the rain. And the grass was green. And it was good.

And Mom made a soup. And the soup was hot. And they all ate the soup. And it was good.

And there was a big dog. And the dog found a bone. And the dog was happy. And it was good.

And the wind was strong. And the kite flew up high. And the boy held the string. And it was good.

And the girl had a ball. And the ball was red. And she gave the ball to her friend. And it was good.

And the moon was in the sky. And the stars were bright. And the children slept. And it was good.

And a bird fell from the tree. And Ben helped the bird. And the bird flew away. And it was good.

And the fish swam in the pond. And the frog sat on a leaf. And the water was blue. And it was good.

And Dad baked a cake. And the cake was sweet. And there was enough for all. And it was good.
`;
