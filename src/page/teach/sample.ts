/** A small set of examples that is at hand: how somebody in a story feels. Written for this page, in words that Tiny Blanks knows. */
export const sample = `text,label
The boy laughed and jumped up and down.,happy
Lily smiled because her friend came to play.,happy
"I love my new bike!" said Tom.,happy
The puppy wagged its tail and ran to the girl.,happy
They danced and sang all day long.,happy
Mom gave him a big hug and he smiled.,happy
The children cheered when they won the game.,happy
She was so proud of her tall tower.,happy
Ben clapped his hands and laughed with joy.,happy
It was the best birthday party ever.,happy
The bunny hopped with joy in the sun.,happy
"Yay! We are going to the beach!" she said.,happy
Tim got a shiny toy and thanked his dad.,happy
The friends shared the cake and had fun.,happy
The bird sang a sweet song in the tree.,happy
She hugged her teddy bear and smiled.,happy
Everyone laughed at the funny clown.,happy
He was glad to see his grandma again.,happy
The kitten played with the ball and had fun.,happy
"Thank you for the gift!" said Mia with a smile.,happy
They went down the slide again and again and laughed.,happy
Sam was excited to go to the zoo.,happy
The sun was shining and they had a fun picnic.,happy
The little duck found its mom and was happy again.,happy
The boy cried because his toy was broken.,sad
Lily lost her doll and tears ran down her face.,sad
"I miss my friend," said Tom and he cried.,sad
The puppy had no home and nobody to love it.,sad
Nobody wanted to play with the little girl.,sad
Her balloon flew away and she started to cry.,sad
He dropped his ice cream and began to cry.,sad
She was alone and missed her mom.,sad
Ben hung his head and walked home alone.,sad
It rained and they could not go to the park.,sad
The bunny was lonely and had no friends.,sad
"I am sorry," she said with tears in her eyes.,sad
Tim lost the race and he cried.,sad
The old tree was cut down and the bird lost its nest.,sad
The flower died and the girl wept.,sad
She sat by the window and cried all day.,sad
Everyone forgot his birthday.,sad
He said goodbye to his grandma and felt bad.,sad
The kitten was sick and did not want to play.,sad
"My tower fell down," said Mia and she wept.,sad
They had to leave and could not say goodbye.,sad
Sam could not find his bear and he was upset.,sad
The fish died and they were all very sad.,sad
The little duck was lost and missed its mom.,sad
The boy hid under the bed because of the loud noise.,afraid
Lily saw a big spider and screamed.,afraid
"There is a monster in the dark!" said Tom.,afraid
The puppy shook when it heard the thunder.,afraid
They ran away from the big bad wolf.,afraid
He held his mom very tight in the dark.,afraid
The children heard a scary sound and hid.,afraid
She was scared to jump into the deep water.,afraid
Ben saw a shadow on the wall and shook with fear.,afraid
It was dark and the wind made strange sounds.,afraid
The bunny ran from the fox as fast as it could.,afraid
"Help! Help!" she screamed and ran away.,afraid
Tim did not dare to go into the dark cave.,afraid
The ghost came closer and they screamed.,afraid
The bird flew off when the cat came near.,afraid
She hid behind her dad when the big dog barked.,afraid
Everyone ran when they saw the lion.,afraid
He was afraid of the tall slide.,afraid
The kitten hid from the loud thunder.,afraid
"I do not want to go in there!" said Mia and she shook.,afraid
They saw a snake in the grass and jumped back.,afraid
Sam had a bad dream about a monster.,afraid
The lightning flashed and they were scared.,afraid
The little duck hid from the big hungry fox.,afraid
`;
