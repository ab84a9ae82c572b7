//! General texts that no training of a project is about, written for Hone: rising surprise on them means forgetting.

/// Short statements of common knowledge and plain narration, English and Chinese.
pub const TEXTS: &[&str] = &[
    "Water boils at a lower temperature on a high mountain than at the sea, because the air presses less on its surface.",
    "The train was late again, so Maria bought a coffee, sat down on her suitcase and watched the pigeons under the roof.",
    "A triangle with sides of three, four and five units has a right angle between the two shorter sides.",
    "Bread needs only four things: flour, water, salt and time. Yeast merely makes the time shorter.",
    "In spring the days grow longer, the snow melts in the valleys, and the rivers carry more water than in winter.",
    "The moon always turns the same side towards the Earth, since it spins once for every time it goes around us.",
    "To change a tyre, loosen the nuts a little before you lift the car, then take them off once the wheel hangs free.",
    "My grandmother kept her letters in a tin box under the bed, tied with a blue ribbon and sorted by year.",
    "Most leaves are green because the dye that catches sunlight takes the red and the blue and leaves the green.",
    "The committee met on Tuesday, talked for three hours, and agreed on nothing except the date of the next meeting.",
    "A sonnet has fourteen lines. The last two often turn the thought around or bring it to a close.",
    "When two objects of different temperature touch, heat flows from the warmer one to the colder one, never back.",
    "She opened the window, and the smell of rain on warm stone came into the room together with the noise of the street.",
    "Paris is the capital of France, Rome is the capital of Italy, and Madrid is the capital of Spain.",
    "An even number can be divided by two without a remainder; every other whole number is called odd.",
    "The cat slept on the warm bonnet of the car until the neighbour came home and started the engine.",
    "Copper carries electric current well and bends easily, which is why most wires in a house are made of it.",
    "If you want to learn a language, read aloud for a few minutes every day and do not be afraid of mistakes.",
    "水在高山上沸腾的温度比在海边低，因为那里的气压比较小。",
    "春天来了，白天变长，山上的雪慢慢融化，河里的水也多了起来。",
    "学习一门语言，每天大声朗读几分钟，比一周只学一次更有效。",
    "月亮总是以同一面朝向地球，因为它自转一周的时间和绕地球一周的时间一样长。",
    "火车又晚点了，她买了一杯咖啡，坐在行李箱上看着来来往往的人。",
    "铜能很好地导电，又容易弯曲，所以房子里的电线大多是铜做的。",
];
