/** A small set of examples that is at hand, three things that stories tell of. Written for this page, in words that Tiny Blanks knows. */
export const sample = `text,label
The puppy wagged its tail and barked.,animals
A big bear was sleeping in the cave.,animals
The little bird flew back to its nest.,animals
Lily saw a rabbit hop across the grass.,animals
The cat chased the mouse all day.,animals
Two ducks were swimming in the pond.,animals
The lion was the king of the jungle.,animals
A green frog jumped onto a leaf.,animals
The horse ran very fast on the farm.,animals
Mia gave the sheep a hug.,animals
The fox was hiding behind a tree.,animals
An elephant has a very long nose.,animals
The fish swam in the blue sea.,animals
A bee flew from flower to flower.,animals
Ben has a pet turtle that is very slow.,animals
The owl can see well at night.,animals
Her kitten likes to play with yarn.,animals
The cow said moo to the pig.,animals
A squirrel climbed up to the top of the tree.,animals
The mouse ran away from the snake.,animals
Dad took us to see the tiger at the zoo.,animals
"""Look at the monkey!"" said Tom.",animals
The dog dug a hole and hid his bone.,animals
A spider made a web in the corner.,animals
Mom made a hot soup for lunch.,food
Tom ate a big slice of cake.,food
The cookies smelled very sweet.,food
Lily put butter and jam on her bread.,food
They shared an apple and a banana.,food
He drank a cup of milk with his dinner.,food
"""This pie is so yummy!"" said Sam.",food
She mixed the flour with sugar and eggs.,food
Ben wanted more ice cream.,food
The pizza was too hot to eat.,food
Grandma baked a chocolate cake.,food
We had rice and chicken for dinner.,food
The orange was juicy and sweet.,food
Mia picked carrots for the salad.,food
Dad cooked pancakes for breakfast.,food
The lemon tasted very sour.,food
She gave him a piece of candy.,food
There was cheese in the sandwich.,food
The children ate popcorn and drank juice.,food
He put salt in the pot of beans.,food
They made a bowl of noodles.,food
The strawberries were red and ripe.,food
Tim had cereal with honey.,food
"""Eat your vegetables,"" said Mom.",food
The rain fell on the roof all day.,weather
It was a cold and windy morning.,weather
Snow covered the whole town.,weather
The sun was shining in the blue sky.,weather
Dark clouds came and there was thunder.,weather
A strong wind blew the leaves around.,weather
"""It is too hot outside,"" said Lily.",weather
The storm was very loud at night.,weather
There was ice on the road in winter.,weather
After the rain there was a rainbow.,weather
The fog was so thick that Tom could not see.,weather
It started to rain and they got wet.,weather
The sky was gray and it was cold.,weather
Lightning flashed in the dark sky.,weather
The snow melted in the warm sun.,weather
It was a sunny day with no clouds.,weather
The wind was so strong that the umbrella broke.,weather
Big drops of rain fell from the clouds.,weather
It was a warm day in the spring.,weather
The puddles froze because it was so cold.,weather
"""The storm is over,"" said Dad.",weather
The air was cool after the rain.,weather
Snow fell softly all night long.,weather
The sun went away and the wind blew hard.,weather
`;
