import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads JSON, which the JDK does not: maps, lists, strings, Boolean and null. A number is the
 * string of its digits.
 */
final class Json {
    static final class Mistake extends Exception {
        Mistake(int at) {
            super("no JSON from character " + at);
        }
    }

    private static final int DEPTH = 100;
    private static final Pattern NUMBER =
            Pattern.compile("-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?");
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Object read(String text) throws Mistake {
        Json json = new Json(text);
        Object value = json.value(DEPTH);
        if (json.next() != '\0' || json.at < text.length()) throw new Mistake(json.at);
        return value;
    }

    /** The next character after white space, NUL at the end. */
    private char next() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
        return at < text.length() ? text.charAt(at) : '\0';
    }

    private boolean skips(String word) {
        next();
        boolean found = text.startsWith(word, at);
        if (found) at += word.length();
        return found;
    }

    private void expect(String word) throws Mistake {
        if (!skips(word)) throw new Mistake(at);
    }

    private Object value(int depth) throws Mistake {
        if (depth == 0) throw new Mistake(at);
        if (next() == '"') return string();
        if (skips("{")) {
            Map<String, Object> map = new HashMap<>();
            if (skips("}")) return map;
            do {
                next();
                String name = string();
                expect(":");
                map.put(name, value(depth - 1));
            } while (skips(","));
            expect("}");
            return map;
        }
        if (skips("[")) {
            List<Object> list = new ArrayList<>();
            if (skips("]")) return list;
            do list.add(value(depth - 1)); while (skips(","));
            expect("]");
            return list;
        }
        if (skips("null")) return null;
        if (skips("true")) return true;
        if (skips("false")) return false;
        Matcher number = NUMBER.matcher(text).region(at, text.length());
        if (!number.lookingAt()) throw new Mistake(at);
        at = number.end();
        return number.group();
    }

    private String string() throws Mistake {
        expect("\"");
        StringBuilder string = new StringBuilder();
        while (at < text.length()) {
            char letter = text.charAt(at++);
            if (letter == '"') return string.toString();
            if (letter < ' ') break;
            if (letter != '\\') {
                string.append(letter);
                continue;
            }
            int escape = at < text.length() ? "\"\\/bfnrtu".indexOf(text.charAt(at++)) : -1;
            if (escape < 0) break;
            if (escape < 8) {
                string.append("\"\\/\b\f\n\r\t".charAt(escape));
                continue;
            }
            int end = Math.min(at + 4, text.length());
            boolean digits = text.substring(at, end).chars().allMatch(HexFormat::isHexDigit);
            if (end < at + 4 || !digits) break;
            string.append((char) HexFormat.fromHexDigits(text, at, end));
            at = end;
        }
        throw new Mistake(at);
    }
}
